//! Reads the merged tree into types. The `config` crate's own reader turns 8080.6 into the port 8081 and prints the
//! value in its type errors. This one is strict with values from files, reads text from the environment and from
//! secret files as what the type asks for, and keeps faults free of values.

mod access;

use std::fmt::Display;

use config::{Value, ValueKind};
use serde::de::{Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use access::{Choice, ListReader, TableReader};

use super::fault::Fault;
use super::key_path::{KeyPath, sorted};
use super::layers::is_free_text;

/// Stands for a value that was already reported, so that reading goes on and finds the next fault: it turns into
/// whatever the type asks for. TOML has no null, so no layer can write one.
pub(super) const PLACEHOLDER: ValueKind = ValueKind::Nil;
const PLACEHOLDER_TEXT: &str = "http://placeholder.invalid/";

/// What a layer says of one key.
#[derive(Clone, Copy)]
enum Node<'a> {
    Placeholder,
    /// From a file, where the notation says the type.
    Typed(&'a ValueKind),
    /// From a variable or a secret file, which know text only: the type that is asked for decides how to read it.
    FreeText(&'a str),
}

/// One value of the tree and where it stands.
pub(super) struct ValueReader<'a> {
    node: Node<'a>,
    path: KeyPath,
}

impl<'a> ValueReader<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self::new(value, KeyPath::default())
    }

    fn new(value: &'a Value, path: KeyPath) -> Self {
        let node = match &value.kind {
            kind if *kind == PLACEHOLDER => Node::Placeholder,
            ValueKind::String(text) if is_free_text(value) => Node::FreeText(text),
            kind => Node::Typed(kind),
        };
        Self { node, path }
    }

    fn mismatch(&self, expected: impl Into<String>) -> Fault {
        Fault::mismatch(expected).at(&self.path)
    }

    fn integer<T>(&self, min: T, max: T) -> Result<T, Fault>
    where
        T: TryFrom<i128> + PartialOrd + Display + Copy,
    {
        let found: Option<i128> = match self.node {
            Node::Typed(ValueKind::I64(number)) => Some((*number).into()),
            Node::Typed(ValueKind::U64(number)) => Some((*number).into()),
            Node::Typed(_) => None,
            Node::Placeholder => Some(1),
            Node::FreeText(text) => text.trim().parse().ok(),
        };
        found
            .and_then(|number| T::try_from(number).ok())
            .filter(|number| (&min..=&max).contains(&number))
            .ok_or_else(|| self.mismatch(format!("an integer from {min} to {max}")))
    }

    fn float(&self) -> Result<f64, Fault> {
        match self.node {
            Node::Typed(ValueKind::Float(number)) => Some(*number),
            Node::Typed(ValueKind::I64(number)) => i32::try_from(*number).ok().map(f64::from),
            Node::Typed(_) => None,
            Node::Placeholder => Some(1.0),
            Node::FreeText(text) => text.trim().parse().ok(),
        }
        .filter(|number: &f64| number.is_finite())
        .ok_or_else(|| self.mismatch("a number"))
    }

    fn boolean(&self) -> Result<bool, Fault> {
        match self.node {
            Node::Typed(ValueKind::Boolean(flag)) => Some(*flag),
            Node::Typed(_) => None,
            Node::Placeholder => Some(false),
            Node::FreeText(text) => text.trim().parse().ok(),
        }
        .ok_or_else(|| self.mismatch("true or false"))
    }

    fn text(&self) -> Result<&'a str, Fault> {
        match self.node {
            Node::Typed(ValueKind::String(text)) => Ok(text),
            Node::Typed(_) => Err(self.mismatch("text")),
            Node::Placeholder => Ok(PLACEHOLDER_TEXT),
            Node::FreeText(text) => Ok(text),
        }
    }

    /// The items of a list. Free text is the list of its comma-separated parts, without the blanks around them.
    fn items(&self) -> Result<Vec<ValueReader<'a>>, Fault> {
        let at = |index: usize| self.path.child(&index.to_string());
        match self.node {
            Node::Typed(ValueKind::Array(items)) => {
                Ok(items.iter().enumerate().map(|(index, item)| Self::new(item, at(index))).collect())
            }
            Node::Typed(_) => Err(self.mismatch("a list")),
            Node::Placeholder => Ok(Vec::new()),
            Node::FreeText(text) if text.trim().is_empty() => Ok(Vec::new()),
            Node::FreeText(text) => {
                let parts = text.split(',').map(|part| Node::FreeText(part.trim()));
                Ok(parts.enumerate().map(|(index, node)| Self { node, path: at(index) }).collect())
            }
        }
    }

    /// The entries of a table. A placeholder has all the fields that its type asks for, as placeholders.
    fn entries(&self, fields: &'static [&'static str]) -> Result<Vec<(&'a str, ValueReader<'a>)>, Fault> {
        match self.node {
            Node::Typed(ValueKind::Table(table)) => {
                let entries = sorted(table).into_iter();
                Ok(entries.map(|(key, value)| (key.as_str(), Self::new(value, self.path.child(key)))).collect())
            }
            Node::Placeholder => {
                let fields = fields.iter().copied();
                Ok(fields.map(|key| (key, Self { node: Node::Placeholder, path: self.path.child(key) })).collect())
            }
            Node::Typed(_) | Node::FreeText(_) => Err(self.mismatch("a table of keys")),
        }
    }
}

impl<'a> Deserializer<'a> for ValueReader<'a> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node {
            Node::Typed(ValueKind::Boolean(_)) => self.deserialize_bool(visitor),
            Node::Typed(ValueKind::I64(_)) => self.deserialize_i64(visitor),
            Node::Typed(ValueKind::Float(_)) => self.deserialize_f64(visitor),
            Node::Typed(ValueKind::Array(_)) => self.deserialize_seq(visitor),
            Node::Typed(ValueKind::Table(_)) => self.deserialize_map(visitor),
            Node::Typed(_) | Node::FreeText(_) | Node::Placeholder => self.deserialize_str(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        let flag = self.boolean()?;
        visitor.visit_bool(flag).map_err(|fault: Fault| fault.at(&self.path))
    }

    fn deserialize_i8<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        let number = self.integer(i8::MIN, i8::MAX)?;
        visitor.visit_i8(number).map_err(|fault: Fault| fault.at(&self.path))
    }

    fn deserialize_i16<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        let number = self.integer(i16::MIN, i16::MAX)?;
        visitor.visit_i16(number).map_err(|fault: Fault| fault.at(&self.path))
    }

    fn deserialize_i32<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        let number = self.integer(i32::MIN, i32::MAX)?;
        visitor.visit_i32(number).map_err(|fault: Fault| fault.at(&self.path))
    }

    fn deserialize_i64<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        let number = self.integer(i64::MIN, i64::MAX)?;
        visitor.visit_i64(number).map_err(|fault: Fault| fault.at(&self.path))
    }

    fn deserialize_u8<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        let number = self.integer(u8::MIN, u8::MAX)?;
        visitor.visit_u8(number).map_err(|fault: Fault| fault.at(&self.path))
    }

    fn deserialize_u16<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        let number = self.integer(u16::MIN, u16::MAX)?;
        visitor.visit_u16(number).map_err(|fault: Fault| fault.at(&self.path))
    }

    fn deserialize_u32<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        let number = self.integer(u32::MIN, u32::MAX)?;
        visitor.visit_u32(number).map_err(|fault: Fault| fault.at(&self.path))
    }

    fn deserialize_u64<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        let number = self.integer(u64::MIN, u64::MAX)?;
        visitor.visit_u64(number).map_err(|fault: Fault| fault.at(&self.path))
    }

    fn deserialize_f32<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        let number = self.float()?;
        visitor.visit_f64(number).map_err(|fault: Fault| fault.at(&self.path))
    }

    fn deserialize_char<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        let text = self.text()?;
        visitor.visit_borrowed_str(text).map_err(|fault: Fault| fault.at(&self.path))
    }

    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    /// Empty text for an optional key means "not set", in every layer: a defaults file can list an optional key, and a
    /// variable that a template always sets can be blank.
    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node {
            Node::Placeholder => visitor.visit_none(),
            Node::FreeText("") => visitor.visit_none(),
            Node::Typed(ValueKind::String(text)) if text.is_empty() => visitor.visit_none(),
            Node::Typed(_) | Node::FreeText(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        let items = self.items()?.into_iter();
        visitor.visit_seq(ListReader(items)).map_err(|fault: Fault| fault.at(&self.path))
    }

    fn deserialize_tuple<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_struct("", &[], visitor)
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let entries = self.entries(fields)?.into_iter();
        let table = TableReader::new(entries, self.path.clone());
        visitor.visit_map(table).map_err(|fault| fault.at(&self.path))
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let choice = match self.node {
            Node::Placeholder => variants.first().copied().unwrap_or_default(),
            _ => self.text()?,
        };
        visitor.visit_enum(Choice(choice)).map_err(|fault: Fault| fault.at(&self.path))
    }

    fn deserialize_identifier<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { <V: Visitor<'a>>
    i128 u128 bytes byte_buf unit unit_struct tuple_struct }
}
