//! serde's views of a table, of a list and of a choice by name.

use std::vec::IntoIter;

use serde::de::{
    DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor, value::BorrowedStrDeserializer,
};

use super::ValueReader;
use crate::settings::fault::Fault;
use crate::settings::key_path::KeyPath;

/// The entries of a table.
pub(super) struct TableReader<'a> {
    entries: IntoIter<(&'a str, ValueReader<'a>)>,
    path: KeyPath,
    current: Option<ValueReader<'a>>,
}

impl<'a> TableReader<'a> {
    pub(super) fn new(entries: IntoIter<(&'a str, ValueReader<'a>)>, path: KeyPath) -> Self {
        Self { entries, path, current: None }
    }
}

impl<'a> MapAccess<'a> for TableReader<'a> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, value)) = self.entries.next() else {
            return Ok(None);
        };
        self.current = Some(value);
        let reader: BorrowedStrDeserializer<'a, Fault> = BorrowedStrDeserializer::new(key);
        seed.deserialize(reader).map(Some).map_err(|fault| fault.at(&self.path.child(key)))
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let value = self.current.take().ok_or_else(|| Fault::mismatch("a key before its value"))?;
        let path = value.path.clone();
        seed.deserialize(value).map_err(|fault| fault.at(&path))
    }
}

/// The items of a list.
pub(super) struct ListReader<'a>(pub IntoIter<ValueReader<'a>>);

impl<'a> SeqAccess<'a> for ListReader<'a> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(item) = self.0.next() else {
            return Ok(None);
        };
        let path = item.path.clone();
        seed.deserialize(item).map(Some).map_err(|fault| fault.at(&path))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

/// A choice by name. Variants that carry data are written as tables of their own kind, not as enums.
pub(super) struct Choice<'a>(pub &'a str);

impl<'a> EnumAccess<'a> for Choice<'a> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        let reader: BorrowedStrDeserializer<'a, Fault> = BorrowedStrDeserializer::new(self.0);
        Ok((seed.deserialize(reader)?, self))
    }
}

impl<'a> VariantAccess<'a> for Choice<'a> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, _: T) -> Result<T::Value, Fault> {
        Err(Fault::mismatch("the name of a choice"))
    }

    fn tuple_variant<V: Visitor<'a>>(self, _: usize, _: V) -> Result<V::Value, Fault> {
        Err(Fault::mismatch("the name of a choice"))
    }

    fn struct_variant<V: Visitor<'a>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Fault> {
        Err(Fault::mismatch("the name of a choice"))
    }
}
