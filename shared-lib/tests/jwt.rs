//! Which tokens are believed, with real keys of every kind, and against a real provider.

#[path = "jwt/access_tokens.rs"]
mod access_tokens;
#[path = "jwt/believed.rs"]
mod believed;
#[path = "jwt/forgeries.rs"]
mod forgeries;
#[path = "jwt/id_tokens.rs"]
mod id_tokens;
#[path = "jwt/issuer.rs"]
mod issuer;
#[path = "jwt/key_set.rs"]
mod key_set;
#[path = "jwt/provider.rs"]
mod provider;
#[path = "jwt/public_keys.rs"]
mod public_keys;
#[path = "jwt/unmarked.rs"]
mod unmarked;
