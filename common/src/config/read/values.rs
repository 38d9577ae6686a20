//! A value as serde asks for it: what does not fit is said in the words of whoever wrote it.

use config::{Value, ValueKind};
use serde::{
    Deserializer,
    de::{DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor, value::StrDeserializer},
    forward_to_deserialize_any,
};

use super::{
    super::{Mistake, Origin, place, yaml11},
    At, Failed, NO_SUCH_KEY, Why, boolean_for, unknown, without_zeros,
};

/// Widths make no difference: the visitor says what is too large for it.
macro_rules! same {
    ($($($narrow:ident)+ => $wide:ident,)+) => {$($(
        fn $narrow<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
            self.$wide(visitor)
        }
    )+)+};
}

impl<'de> Deserializer<'de> for At<'de> {
    type Error = Failed;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        let key = self.key.clone();
        match &self.node.kind {
            ValueKind::Nil => visitor.visit_unit(),
            ValueKind::Boolean(value) => visitor.visit_bool(*value),
            ValueKind::I64(value) => visitor.visit_i64(*value),
            ValueKind::I128(value) => visitor.visit_i128(*value),
            ValueKind::U64(value) => visitor.visit_u64(*value),
            ValueKind::U128(value) => visitor.visit_u128(*value),
            ValueKind::Float(value) => visitor.visit_f64(*value),
            ValueKind::String(text) => visitor.visit_str(text),
            ValueKind::Array(items) => visitor.visit_seq(Items::new(&self, items)),
            ValueKind::Table(table) => visitor.visit_map(Pairs::new(&self, table, None)),
        }
        .map_err(|failed: Failed| failed.at(&key))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        let what = "`true` or `false`";
        let value = match &self.node.kind {
            ValueKind::Boolean(value) => *value,
            ValueKind::String(text) => {
                let value = self.word().and_then(|word| word.parse().ok());
                value.ok_or_else(|| self.wants(what, &boolean_for(text)))?
            }
            _ => return Err(self.wants(what, "")),
        };
        visitor.visit_bool(value)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        let what = "a whole number";
        let value = match (&self.node.kind, self.word()) {
            (ValueKind::I64(value), _) => *value,
            (_, Some(word)) => self.number(word, what)?,
            _ => return Err(self.wants(what, without_zeros(self.node))),
        };
        visitor.visit_i64(value).map_err(|failed: Failed| failed.at(&self.key))
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        let what = "a whole number, 0 or more,";
        let value = match (&self.node.kind, self.word()) {
            (ValueKind::I64(value), _) => u64::try_from(*value).map_err(|_| self.wants(what, ""))?,
            (_, Some(word)) => self.number(word, what)?,
            _ => return Err(self.wants(what, without_zeros(self.node))),
        };
        visitor.visit_u64(value).map_err(|failed: Failed| failed.at(&self.key))
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        let what = "a number";
        let value = match (&self.node.kind, self.word()) {
            #[expect(clippy::cast_precision_loss, reason = "a number somebody wrote as a share")]
            (ValueKind::I64(value), _) => *value as f64,
            (ValueKind::Float(value), _) => *value,
            (_, Some(word)) => self.number(word, what)?,
            _ => return Err(self.wants(what, "")),
        };
        visitor.visit_f64(value).map_err(|failed: Failed| failed.at(&self.key))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        match &self.node.kind {
            ValueKind::String(text) => visitor.visit_str(text).map_err(|failed: Failed| failed.at(&self.key)),
            ValueKind::Nil | ValueKind::Array(_) | ValueKind::Table(_) => Err(self.wants("a text", "")),
            _ => Err(self.wants("a text", "; put it in quotes")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        match self.node.kind {
            ValueKind::Nil => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Failed> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        match &self.node.kind {
            ValueKind::Array(items) => visitor.visit_seq(Items::new(&self, items)),
            _ => Err(self.wants("a list", "; write it as `[a, b]`")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        match &self.node.kind {
            ValueKind::Table(table) => visitor.visit_map(Pairs::new(&self, table, None)),
            _ => Err(self.wants("a map of keys and values", "")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failed> {
        let ValueKind::Table(table) = &self.node.kind else {
            return Err(self.wants("a map of settings", &format!(" (known: {})", fields.join(", "))));
        };
        let pairs = Pairs::new(&self, table, Some(fields));
        for Pair { name, value } in pairs.all.iter().filter(|pair| !fields.contains(&pair.name)) {
            let why = match meant(name, fields) {
                Some(meant) => format!(
                    "it stands beside `{meant}`, and is what Helm (YAML 1.1) makes of `{meant}` without quotes; remove one"
                ),
                None => unknown(NO_SUCH_KEY, name, fields),
            };
            self.noted.mistake(Mistake::new(&Origin::of(value.node), &value.key, why));
        }
        visitor.visit_map(pairs).map_err(|failed: Failed| match failed.why {
            Why::Missing(field) => {
                let refused = table.get(field).is_some_and(|value| self.child(value, field).is_refused());
                let said = || Why::Said(format!("`{field}` is missing; add it"));
                Failed { key: failed.key, why: if refused { Why::Follows } else { said() } }.at(&self.key)
            }
            Why::Said(_) | Why::Follows => failed.at(&self.key),
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failed> {
        let word = match &self.node.kind {
            ValueKind::String(text) => Some(text.as_str()),
            ValueKind::Boolean(value) => yaml11::meant(*value, variants.iter().copied()),
            _ => None,
        };
        let Some(word) = word else {
            return Err(self.wants("one word", &format!(" (known: {})", variants.join(", "))));
        };
        let name: StrDeserializer<'_, Failed> = word.into_deserializer();
        visitor.visit_enum(name).map_err(|failed: Failed| failed.at(&self.key))
    }

    forward_to_deserialize_any! { bytes byte_buf unit unit_struct identifier ignored_any tuple tuple_struct }

    same! {
        deserialize_i8 deserialize_i16 deserialize_i32 => deserialize_i64,
        deserialize_u8 deserialize_u16 deserialize_u32 => deserialize_u64,
        deserialize_f32 => deserialize_f64,
        deserialize_char deserialize_string => deserialize_str,
    }
}

/// The elements of a list; those refused are passed over, the others keep their numbers.
struct Items<'t> {
    left: std::vec::IntoIter<At<'t>>,
}

impl<'t> Items<'t> {
    fn new(list: &At<'t>, items: &'t [Value]) -> Self {
        let items = items.iter().enumerate().map(|(number, item)| list.child(item, &format!("[{number}]")));
        let left: Vec<_> = items.filter(|item| !item.is_refused()).collect();
        Self { left: left.into_iter() }
    }
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Failed;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failed> {
        self.left.next().map(|item| item.read(seed)).transpose()
    }
}

/// The setting that a key stands for in YAML 1.1.
fn meant(key: &str, fields: &[&'static str]) -> Option<&'static str> {
    key.parse().ok().and_then(|value| yaml11::meant(value, fields.iter().copied()))
}

/// The pairs of a map. Of settings, those that do not exist, were refused or have no value are passed over.
struct Pairs<'t> {
    all: Vec<Pair<'t>>,
    fields: Option<&'static [&'static str]>,
    next: usize,
}

struct Pair<'t> {
    name: &'t str,
    value: At<'t>,
}

impl<'t> Pairs<'t> {
    fn new(map: &At<'t>, table: &'t place::Table, fields: Option<&'static [&'static str]>) -> Self {
        // What is said of a key that stands for another is said by the name that was meant.
        let called = |name: &'t str| {
            let meant = fields.filter(|fields| !fields.contains(&name)).and_then(|fields| meant(name, fields));
            meant.filter(|meant| !place::pairs(table).any(|(other, _)| other == *meant)).unwrap_or(name)
        };
        let pair = |(name, value)| Pair { name: called(name), value: map.child(value, called(name)) };
        Self { all: place::pairs(table).map(pair).collect(), fields, next: 0 }
    }

    fn is_skipped(&self, pair: &Pair<'t>) -> bool {
        let is_none = |fields: &[&str]| pair.value.node.kind == ValueKind::Nil || !fields.contains(&pair.name);
        pair.value.is_refused() || self.fields.is_some_and(is_none)
    }
}

impl<'de> MapAccess<'de> for Pairs<'de> {
    type Error = Failed;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Failed> {
        while let Some(pair) = self.all.get(self.next) {
            if !self.is_skipped(pair) {
                let name: StrDeserializer<'_, Failed> = pair.name.into_deserializer();
                return seed.deserialize(name).map(Some).map_err(|failed: Failed| failed.at(&pair.value.key));
            }
            self.next += 1;
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Failed> {
        let Some(pair) = self.all.get(self.next) else { return Err(Failed::said("no key before it".to_owned())) };
        self.next += 1;
        if pair.value.node.kind == ValueKind::Nil {
            let why = "it has no value; give it one, or remove the key".to_owned();
            return Err(Failed::said(why).at(&pair.value.key));
        }
        pair.value.clone().read(seed)
    }
}
