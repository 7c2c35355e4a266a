//! What `actix-session` asks of a store, answered by [`Sessions`].

use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use actix_web::cookie::time;

use super::{
    ADDED, AWAY, ENDS, Fields, Group, IDENTITY, Identity, KEY, SessionId, SessionSecret, Sessions, StoreError, TOKENS,
    parse, text,
};
use crate::auth::{random, session_ends::EndReason, tokens::Tokens};

impl SessionStore for Sessions {
    /// A store that is away is no failure here, because the request may be one that needs no session: whoever asks for
    /// [`Sessions::current`] learns of it.
    async fn load(&self, key: &SessionKey) -> Result<Option<Fields>, LoadError> {
        let secret = SessionSecret::new(key.as_ref());
        let added = |error: StoreError| LoadError::Deserialization(error.into());
        let mut fields = match self.records.load(&secret.id()).await {
            Ok(None) => return Ok(None),
            Ok(Some(record)) => {
                let mut fields = record.fields;
                fields.insert(ENDS.to_owned(), text(&record.ends).map_err(added)?);
                fields
            }
            Err(StoreError(error)) => {
                return Ok(Some(Fields::from([(AWAY.to_owned(), text(&format!("{error:#}")).map_err(added)?)])));
            }
        };
        fields.insert(KEY.to_owned(), text(&secret).map_err(added)?);
        Ok(Some(fields))
    }

    /// The records know how long a session lasts; `_ttl` says nothing that they do not.
    async fn save(&self, fields: Fields, _ttl: &time::Duration) -> Result<SessionKey, SaveError> {
        let key = random::token();
        let secret = SessionSecret::new(&key);
        let mut fields = stored(fields);
        let failed = |error: StoreError| SaveError::Other(error.into());
        if let Some(tokens) = fields.get(TOKENS).and_then(|text| parse::<Tokens>(text)) {
            let sealed = self.seals.seal(&secret, &tokens).and_then(|sealed| text(&sealed)).map_err(failed)?;
            fields.insert(TOKENS.to_owned(), sealed);
        }
        let identity = fields.get(IDENTITY).and_then(|text| parse::<Identity>(text));
        let groups = identity.map(|identity| {
            let at_provider = identity.provider_session.as_deref().map(Group::of_provider_session);
            std::iter::once(Group::of_subject(&identity.subject)).chain(at_provider).collect()
        });
        self.records.create(secret.id(), fields, groups.unwrap_or_default()).await.map_err(failed)?;
        key.try_into().map_err(|_| SaveError::Other(anyhow::anyhow!("a session key is too long")))
    }

    async fn update(&self, key: SessionKey, fields: Fields, _ttl: &time::Duration) -> Result<SessionKey, UpdateError> {
        let written = self.records.write(&SessionId::of(key.as_ref()), stored(fields)).await;
        written.map_err(|error| UpdateError::Other(error.into()))?;
        Ok(key)
    }

    /// Prolonging is the guard's decision, see [`Sessions::prolong`].
    async fn update_ttl(&self, _key: &SessionKey, _ttl: &time::Duration) -> Result<(), anyhow::Error> {
        Ok(())
    }

    async fn delete(&self, key: &SessionKey) -> Result<(), anyhow::Error> {
        self.end(&SessionId::of(key.as_ref()), EndReason::SignedOut).await?;
        Ok(())
    }
}

fn stored(mut fields: Fields) -> Fields {
    fields.retain(|name, _| !name.starts_with(ADDED));
    fields
}
