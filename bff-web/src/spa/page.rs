//! A page of the application: HTML that gets a nonce of its own with every answer.

use super::markup::places_for_nonce;

/// What a build writes where it wants the nonce, such as `<app-root ngCspNonce="%CSP_NONCE%">`.
const PLACEHOLDER: &str = "%CSP_NONCE%";

/// The page, cut where the nonce goes. Its scripts and styles are those of the build, so each of them gets it.
#[derive(Debug)]
pub(super) struct Page {
    pieces: Vec<String>,
}

impl Page {
    pub(super) fn new(html: &str) -> Self {
        let mut marked = html.to_owned();
        for place in places_for_nonce(html).into_iter().rev() {
            marked.insert_str(place, &format!(" nonce=\"{PLACEHOLDER}\""));
        }
        Self { pieces: marked.split(PLACEHOLDER).map(str::to_owned).collect() }
    }

    pub(super) fn with_nonce(&self, nonce: &str) -> String {
        self.pieces.join(nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows: W15
    #[test]
    fn every_script_and_style_of_the_build_gets_the_nonce() {
        let page = Page::new(
            "<style>a</style><app-root ngCspNonce=\"%CSP_NONCE%\"></app-root><script nonce=\"%CSP_NONCE%\" src=a></script>\
             <script src=\"b\"></script>",
        );
        assert_eq!(
            page.with_nonce("n1"),
            "<style nonce=\"n1\">a</style><app-root ngCspNonce=\"n1\"></app-root><script nonce=\"n1\" src=a></script>\
             <script nonce=\"n1\" src=\"b\"></script>"
        );
    }
}
