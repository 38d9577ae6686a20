//! A node as serde asks for it: what does not fit is said in the words of whoever wrote it.

use serde::{
    Deserializer,
    de::{DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor, value::StrDeserializer},
    forward_to_deserialize_any,
};

use super::{
    super::{Mistake, yaml11},
    At, Failed, NO_SUCH_KEY, Value, Why, boolean_for, unknown, without_zeros,
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
        match &self.node.value {
            Value::Null | Value::Refused => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Whole(value) => visitor.visit_i64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(text) | Value::Word(text) => visitor.visit_str(text),
            Value::List(_) => visitor.visit_seq(Items { list: self, next: 0 }),
            Value::Map(_) => visitor.visit_map(Pairs { map: self, fields: None, next: 0 }),
        }
        .map_err(|failed: Failed| failed.at(&key))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        let what = "`true` or `false`";
        let value = match &self.node.value {
            Value::Bool(value) => *value,
            Value::Word(word) => word.parse().map_err(|_| self.wants(what, &boolean_for(word)))?,
            Value::Text(text) => return Err(self.wants(what, &boolean_for(text))),
            _ => return Err(self.wants(what, "")),
        };
        visitor.visit_bool(value)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        let what = "a whole number";
        let value = match &self.node.value {
            Value::Whole(value) => *value,
            Value::Word(word) => self.number(word, what)?,
            _ => return Err(self.wants(what, without_zeros(self.node))),
        };
        visitor.visit_i64(value).map_err(|failed: Failed| failed.at(&self.key))
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        let what = "a whole number, 0 or more,";
        let value = match &self.node.value {
            Value::Whole(value) => u64::try_from(*value).map_err(|_| self.wants(what, ""))?,
            Value::Word(word) => self.number(word, what)?,
            _ => return Err(self.wants(what, without_zeros(self.node))),
        };
        visitor.visit_u64(value).map_err(|failed: Failed| failed.at(&self.key))
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        let what = "a number";
        let value = match &self.node.value {
            #[expect(clippy::cast_precision_loss, reason = "a number somebody wrote as a share")]
            Value::Whole(value) => *value as f64,
            Value::Float(value) => *value,
            Value::Word(word) => self.number(word, what)?,
            _ => return Err(self.wants(what, "")),
        };
        visitor.visit_f64(value).map_err(|failed: Failed| failed.at(&self.key))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        match &self.node.value {
            Value::Text(text) | Value::Word(text) => {
                visitor.visit_str(text).map_err(|failed: Failed| failed.at(&self.key))
            }
            Value::Bool(_) | Value::Whole(_) | Value::Float(_) => Err(self.wants("a text", "; put it in quotes")),
            Value::Null | Value::Refused | Value::List(_) | Value::Map(_) => Err(self.wants("a text", "")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Failed> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        match &self.node.value {
            Value::List(_) => visitor.visit_seq(Items { list: self, next: 0 }),
            _ => Err(self.wants("a list", "; write it as `[a, b]`")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        match &self.node.value {
            Value::Map(_) => visitor.visit_map(Pairs { map: self, fields: None, next: 0 }),
            _ => Err(self.wants("a map of keys and values", "")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failed> {
        let Value::Map(pairs) = &self.node.value else {
            return Err(self.wants("a map of settings", &format!(" (known: {})", fields.join(", "))));
        };
        for (key, node) in pairs.iter().filter(|(key, _)| !fields.contains(&key.as_str())) {
            let at = self.child(node, key).key;
            let meant = key.parse().ok().and_then(|value| yaml11::meant(value, fields.iter().copied()));
            let why = match meant {
                Some(meant) if pairs.iter().any(|(other, _)| other == meant) => format!(
                    "it stands beside `{meant}`, and is what Helm (YAML 1.1) makes of `{meant}` without quotes; remove one"
                ),
                Some(meant) => {
                    self.noted.renamed.borrow_mut().push((at, meant));
                    continue;
                }
                None => unknown(NO_SUCH_KEY, key, fields),
            };
            self.noted.mistake(Mistake::new(&node.origin, at, why));
        }
        let key = self.key.clone();
        visitor.visit_map(Pairs { map: self, fields: Some(fields), next: 0 }).map_err(|failed: Failed| {
            match failed.why {
                Why::Missing(field) => {
                    let refused = pairs.iter().any(|(key, node)| key == field && node.value == Value::Refused);
                    let said = || Why::Said(format!("`{field}` is missing; add it"));
                    Failed { key: failed.key, why: if refused { Why::Follows } else { said() } }.at(&key)
                }
                Why::Said(_) | Why::Follows => failed.at(&key),
            }
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failed> {
        let word = match &self.node.value {
            Value::Text(text) | Value::Word(text) => Some(text.as_str()),
            Value::Bool(value) => yaml11::meant(*value, variants.iter().copied()),
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
    list: At<'t>,
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Failed;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failed> {
        let Value::List(items) = &self.list.node.value else { return Ok(None) };
        while let Some(node) = items.get(self.next) {
            let at = self.list.child(node, &format!("[{}]", self.next));
            self.next += 1;
            if node.value != Value::Refused {
                let key = at.key.clone();
                return seed.deserialize(at).map(Some).map_err(|failed: Failed| failed.at(&key));
            }
        }
        Ok(None)
    }
}

/// The pairs of a map. Of settings, those that do not exist, were refused or have no value are passed over.
struct Pairs<'t> {
    map: At<'t>,
    fields: Option<&'static [&'static str]>,
    next: usize,
}

impl<'de> MapAccess<'de> for Pairs<'de> {
    type Error = Failed;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Failed> {
        let Value::Map(pairs) = &self.map.node.value else { return Ok(None) };
        while let Some((key, node)) = pairs.get(self.next) {
            let skipped = match (self.fields, &node.value) {
                (_, Value::Refused) => true,
                (Some(fields), value) => *value == Value::Null || !fields.contains(&key.as_str()),
                (None, _) => false,
            };
            if !skipped {
                let name: StrDeserializer<'_, Failed> = key.as_str().into_deserializer();
                return seed
                    .deserialize(name)
                    .map(Some)
                    .map_err(|failed: Failed| failed.at(&self.map.child(node, key).key));
            }
            self.next += 1;
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Failed> {
        let Value::Map(pairs) = &self.map.node.value else { return Err(Failed::said("not a map".to_owned())) };
        let (key, node) = &pairs[self.next];
        self.next += 1;
        let at = self.map.child(node, key);
        let key = at.key.clone();
        if node.value == Value::Null {
            return Err(Failed::said("it has no value; give it one, or remove the key".to_owned()).at(&key));
        }
        seed.deserialize(at).map_err(|failed: Failed| failed.at(&key))
    }
}
