//! `sandbox token`

use std::{
    io::{self, Write},
    time::Duration,
};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::CliError;

const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    /// Whose token: alice, bob, carol, user1 to user9999.
    #[arg(long)]
    user: String,
    /// The client that the token is issued to.
    #[arg(long, default_value = "mobile-app")]
    client: String,
    /// The service that accepts it.
    #[arg(long, default_value = "bff-mobile")]
    audience: String,
    /// Scopes, separated by spaces [default: the client's].
    #[arg(long)]
    scope: Option<String>,
    /// The provider.
    #[arg(long, env = "SANDBOX_ISSUER", default_value = "http://localhost:9000")]
    issuer: String,
}

#[derive(Serialize)]
struct TokenRequest<'a> {
    user: &'a str,
    client_id: &'a str,
    audience: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
}

#[derive(Deserialize)]
struct TokenRefusal {
    error: String,
    error_description: Option<String>,
}

impl TokenArgs {
    pub(super) async fn run(self) -> Result<(), CliError> {
        let url = format!("{}/dev/token", self.issuer.trim_end_matches('/'));
        let unreachable = |reason: String| CliError::Unreachable { url: url.clone(), reason };
        let request = TokenRequest {
            user: &self.user,
            client_id: &self.client,
            audience: &self.audience,
            scope: self.scope.as_deref(),
        };
        let client = awc::Client::builder().timeout(TIMEOUT).finish();
        let mut response =
            client.post(&url).send_form(&request).await.map_err(|error| unreachable(error.to_string()))?;
        let body = response.body().await.map_err(|error| unreachable(error.to_string()))?;
        if let Ok(answer) = serde_json::from_slice::<TokenAnswer>(&body) {
            return writeln!(io::stdout(), "{}", answer.access_token).map_err(CliError::Output);
        }
        let error = serde_json::from_slice::<TokenRefusal>(&body).map_or_else(
            |_| format!("status {}", response.status().as_u16()),
            |refusal| match refusal.error_description {
                Some(description) => format!("{}: {description}", refusal.error),
                None => refusal.error,
            },
        );
        Err(CliError::Refused { error })
    }
}
