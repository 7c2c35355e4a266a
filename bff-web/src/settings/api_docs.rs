//! `[api_docs]`: whether the contract is shown.

use serde::Deserialize;
use shared_lib::settings::Environment;

/// What `[api_docs]` says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiDocsSettings {
    /// Whether it is shown; absent: in development only.
    pub enabled: Option<bool>,
}

impl ApiDocsSettings {
    /// Whether it is shown in this environment.
    #[must_use]
    pub fn is_enabled(&self, environment: Environment) -> bool {
        self.enabled.unwrap_or(!environment.is_production())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_shows_the_contract_only_where_the_settings_say_so() {
        let shown = |enabled| ApiDocsSettings { enabled }.is_enabled(Environment::Production);
        assert_eq!((shown(None), shown(Some(true))), (false, true));
        assert!(ApiDocsSettings::default().is_enabled(Environment::Development));
    }
}
