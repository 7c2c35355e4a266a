//! How messages of the notification service are buffered.
//!
//! A gRPC call takes its buffers when it begins and a stream keeps them as long as it lasts, which here is for as long as
//! somebody has a page open. The usual 8 KiB would be most of what an idle stream takes, for events of a few hundred bytes.
//! Buffers grow where a message is larger.

use std::marker::PhantomData;

use prost::Message;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::ProstCodec;

/// What a buffer begins with, in bytes: an event with a title and a short text.
const BUFFER_BYTES: usize = 512;

/// Bytes that are collected before they are sent, which is tonic's own.
const YIELD_THRESHOLD: usize = 32 * 1024;

/// Messages that are mostly small. `build.rs` names it for the generated client.
#[derive(Debug)]
pub struct SmallMessages<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for SmallMessages<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

fn buffers() -> BufferSettings {
    BufferSettings::new(BUFFER_BYTES, YIELD_THRESHOLD)
}

impl<T, U> Codec for SmallMessages<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = <ProstCodec<T, U> as Codec>::Encoder;
    type Decoder = <ProstCodec<T, U> as Codec>::Decoder;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(buffers())
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(buffers())
    }
}
