//! A deserializer without data: it asks a type what it is, and compares that with a definition.

use core::cell::Cell;
use core::fmt;
use core::ops::Range;

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::{Path, What};
use crate::idl::{self, Kind, Type};
use crate::json::Raw;

/// How many types within one another are looked at: types can contain themselves.
const DEPTH: u8 = 16;

/// A type that does not take what it is given: because a field is missing, or else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused(pub(super) Option<&'static str>);

const REFUSED: Refused = Refused(None);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl core::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(_: T) -> Self {
        REFUSED
    }

    fn missing_field(field: &'static str) -> Self {
        Refused(Some(field))
    }
}

/// What a type is tried with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// All that the definition has.
    Everything,
    /// Without what may be null.
    Little,
    /// With fields that the definition does not have.
    More,
    /// With values of enumerations that the definition does not have, where a type has one that
    /// may stand for all others (`#[serde(other)]`).
    Others,
}

/// The name of a field or a value that no definition has.
const UNHEARD: &str = "-";

/// One attempt at a type: what it is given, and who wants to know in what it differs.
pub(super) struct Run<'r> {
    attempt: Attempt,
    /// Whether enumerations may have one value that stands for all others.
    others: bool,
    /// Which value it is given.
    value: u8,
    /// Which variant of enumerations it is given. All but the first look only at these.
    variant: usize,
    see: &'r dyn Fn(Option<&Path<'_>>, What),
    differs: Cell<bool>,
    variants: Cell<usize>,
}

impl<'r> Run<'r> {
    /// The values that can be tried.
    pub(super) const VALUES: Range<u8> = 0..2;

    pub(super) fn new(
        attempt: Attempt,
        (value, variant, others): (u8, usize, bool),
        see: &'r dyn Fn(Option<&Path<'_>>, What),
    ) -> Self {
        Run {
            attempt,
            others,
            value,
            variant,
            see,
            differs: Cell::new(false),
            variants: Cell::new(1),
        }
    }

    /// Whether the type differs from its definition.
    pub(super) fn differs(&self) -> bool {
        self.differs.get()
    }

    /// How many variants the largest enumeration in the type has.
    pub(super) fn variants(&self) -> usize {
        self.variants.get()
    }
}

/// Takes the place of a value.
#[derive(Clone, Copy)]
pub(super) struct Probe<'p> {
    run: &'p Run<'p>,
    path: Option<&'p Path<'p>>,
    depth: u8,
    /// What it should be. None, if it may be anything.
    ty: Option<Type<'static>>,
}

impl<'p> Probe<'p> {
    pub(super) fn new(run: &'p Run<'p>, ty: Type<'static>) -> Self {
        Probe {
            run,
            path: None,
            depth: 0,
            ty: Some(ty),
        }
    }

    fn see(&self, what: What) {
        if self.run.variant == 0 || matches!(what, What::Content(_)) {
            self.run.differs.set(true);
            (self.run.see)(self.path, what);
        }
    }

    /// One level further in.
    fn within(self, ty: Option<Type<'static>>) -> Self {
        let depth = self.depth.saturating_add(1);
        Probe { depth, ty, ..self }
    }

    /// What it should be, for a type that can't be null: that it is of a kind that fits.
    fn kind(
        &self,
        rust: &'static str,
        fits: impl Fn(&Kind<'static>) -> bool,
    ) -> Option<Kind<'static>> {
        let ty = self.ty?;
        let kind = match ty.resolved().kind() {
            Kind::Nullable(inner) => {
                self.see(What::NotAnOption(ty));
                inner.resolved().kind()
            }
            kind => kind,
        };
        match fits(&kind) {
            true => Some(kind),
            false => {
                self.see(What::Kind(ty, rust));
                None
            }
        }
    }

    /// Whether there is no need to look at another value of this type: it is within one.
    fn is_within_itself(&self, ty: Option<Type<'static>>) -> bool {
        let Some(ty) = ty else {
            // Nothing is known of it, nor when it would end.
            return true;
        };
        let ty = match ty.kind() {
            Kind::Nullable(inner) => inner.resolved(),
            _ => ty.resolved(),
        };
        let mut path = self.path;
        while let Some(within) = path {
            if within.of == Some(ty) {
                return true;
            }
            path = within.parent;
        }
        self.depth >= DEPTH
    }

    /// A structure: compares its fields with those of the definition, and gives it all that both
    /// have.
    fn fields<'de, V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let kind = self.kind("a structure", |kind| {
            matches!(kind, Kind::Struct(_) | Kind::Object)
        });
        let defined = match kind {
            Some(Kind::Struct(defined)) => Some(defined),
            _ => None,
        };
        if let Some(defined) = defined.clone() {
            for name in fields {
                if !defined.clone().any(|field| field.name() == *name) {
                    self.see_at(name, What::ExtraField);
                }
            }
            for field in defined {
                if !fields.contains(&field.name()) {
                    self.see_at(field.name(), What::MissingField);
                }
            }
        }
        visitor.visit_map(Fields {
            probe: self,
            defined,
            fields: fields.iter(),
            next: "",
            more: self.run.attempt == Attempt::More,
        })
    }

    fn see_at(&self, name: &'static str, what: What) {
        let (parent, run) = (self.path, self.run);
        let path = Path {
            parent,
            name,
            of: None,
        };
        let path = Some(&path);
        Probe { run, path, ..*self }.see(what);
    }
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Refused;

    /// A type that takes anything is given something of the right kind, and nothing in it.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let kind = self.ty.map(|ty| ty.resolved().kind());
        match kind {
            Some(Kind::Bool) => visitor.visit_bool(false),
            Some(Kind::Int) => visitor.visit_u64(self.run.value.into()),
            Some(Kind::Float) => visitor.visit_f64(self.run.value.into()),
            Some(Kind::String | Kind::Enum(_)) => visitor.visit_borrowed_str("a"),
            Some(Kind::Array(_)) => visitor.visit_seq(Elements(self, 0)),
            Some(Kind::Nullable(_)) => visitor.visit_none(),
            _ => visitor.visit_map(Entry(self, false)),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.kind("bool", |kind| matches!(kind, Kind::Bool));
        visitor.visit_bool(false)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.kind("an integer", |kind| matches!(kind, Kind::Int));
        visitor.visit_u64(self.run.value.into())
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.kind("a float", |kind| matches!(kind, Kind::Float));
        visitor.visit_f64(self.run.value.into())
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.kind("a string", |kind| matches!(kind, Kind::String));
        visitor.visit_borrowed_str(if self.run.value == 0 { "" } else { "a" })
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.kind("a string", |kind| matches!(kind, Kind::String));
        visitor.visit_borrowed_str("a")
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        self.kind("bytes", |_| false);
        Err(REFUSED)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let inner = match self.ty.map(|ty| (ty, ty.kind())) {
            None => None,
            Some((_, Kind::Nullable(inner))) => Some(inner),
            Some((ty, _)) => {
                self.see(What::Option(ty));
                Some(ty)
            }
        };
        match self.is_within_itself(inner) {
            true => visitor.visit_none(),
            false => visitor.visit_some(self.within(inner)),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.kind("a structure without fields", |kind| match kind {
            Kind::Struct(fields) => fields.clone().next().is_none(),
            kind => matches!(kind, Kind::Object),
        });
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        match name {
            // Whatever the value is, it is kept as it is.
            Raw::NAME => {
                self.kind("", |_| true);
                visitor.visit_borrowed_str("{}")
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let kind = self.kind("a list", |kind| matches!(kind, Kind::Array(_)));
        let element = match kind {
            Some(Kind::Array(element)) => Some(element),
            _ => None,
        };
        let count = usize::from(!self.is_within_itself(element));
        visitor.visit_seq(Elements(self.within(element), count))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let kind = self.kind("a list", |kind| matches!(kind, Kind::Array(_)));
        let element = match kind {
            Some(Kind::Array(element)) => Some(element),
            _ => None,
        };
        visitor.visit_seq(Elements(self.within(element), count))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_tuple(count, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let kind = self.kind("a map", |kind| matches!(kind, Kind::Map(_) | Kind::Object));
        let value = match kind {
            Some(Kind::Map(value)) => Some(value),
            _ => None,
        };
        visitor.visit_map(Entry(self.within(value), !self.is_within_itself(value)))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.fields(fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let kind = self.kind("an enumeration", |kind| matches!(kind, Kind::Enum(_)));
        if let Some(Kind::Enum(values)) = kind {
            let extra = |variant: &&&str| !values.clone().any(|value| value.name() == **variant);
            let other = variants.iter().filter(extra).count() == 1;
            if other && self.run.attempt == Attempt::Others {
                return visitor.visit_enum(PlainVariant(self, UNHEARD));
            }
            for variant in variants.iter().filter(extra) {
                if !(other && self.run.others) {
                    self.see(What::ExtraValue(variant));
                }
            }
            for value in values {
                if !variants.contains(&value.name()) {
                    self.see(What::MissingValue(value.name()));
                }
            }
        }
        let count = self.run.variants.get().max(variants.len());
        self.run.variants.set(count);
        let variant = variants.get(self.run.variant).or(variants.first());
        let variant = *variant.ok_or(REFUSED)?;
        visitor.visit_enum(PlainVariant(self, variant))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_borrowed_str("a")
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }
}

/// The fields that a type and its definition have.
struct Fields<'p> {
    probe: Probe<'p>,
    /// None, if the definition does not say.
    defined: Option<idl::Fields<'static>>,
    fields: core::slice::Iter<'static, &'static str>,
    /// The field whose value is next.
    next: &'static str,
    /// Whether there is a field that nobody has.
    more: bool,
}

impl Fields<'_> {
    fn field(&self, name: &str) -> Option<Type<'static>> {
        let mut defined = self.defined.clone()?;
        let field = defined.find(|field| field.name() == name)?;
        Some(field.ty())
    }
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Refused> {
        while let Some(name) = self.fields.next() {
            let skipped = match (&self.defined, self.field(name)) {
                (None, _) => false,
                (Some(_), None) => true,
                (Some(_), Some(ty)) => {
                    self.probe.run.attempt == Attempt::Little
                        && matches!(ty.kind(), Kind::Nullable(_))
                }
            };
            if !skipped {
                self.next = name;
                return seed.deserialize(Key(name)).map(Some);
            }
        }
        if core::mem::take(&mut self.more) {
            self.next = UNHEARD;
            return seed.deserialize(Key(UNHEARD)).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        let path = Path {
            parent: self.probe.path,
            name: self.next,
            of: self.probe.ty.map(|ty| ty.resolved()),
        };
        let probe = self.probe.within(self.field(self.next));
        let path = Some(&path);
        seed.deserialize(Probe { path, ..probe })
    }
}

/// So many elements of a list.
struct Elements<'p>(Probe<'p>, usize);

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Refused> {
        match self.1.checked_sub(1) {
            None => Ok(None),
            Some(left) => {
                self.1 = left;
                seed.deserialize(self.0).map(Some)
            }
        }
    }
}

/// An entry of a map, or none.
struct Entry<'p>(Probe<'p>, bool);

impl<'de> MapAccess<'de> for Entry<'_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Refused> {
        match core::mem::take(&mut self.1) {
            true => seed.deserialize(Key("a")).map(Some),
            false => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        seed.deserialize(self.0)
    }
}

/// A value of an enumeration. It should have nothing in it.
struct PlainVariant<'p>(Probe<'p>, &'static str);

impl PlainVariant<'_> {
    fn has_content<T>(self) -> Result<T, Refused> {
        self.0.see(What::Content(self.1));
        Err(REFUSED)
    }
}

impl<'de> EnumAccess<'de> for PlainVariant<'_> {
    type Error = Refused;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Refused> {
        let name = seed.deserialize(Key(self.1))?;
        Ok((name, self))
    }
}

impl<'de> VariantAccess<'de> for PlainVariant<'_> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Refused> {
        self.has_content()
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Refused> {
        self.has_content()
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Refused> {
        self.has_content()
    }
}

/// The key of a field or of a map.
struct Key(&'static str);

impl<'de> Deserializer<'de> for Key {
    type Error = Refused;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The variants of an enum; None, if it is not one.
pub(super) fn variants(
    deserialize: impl Fn(Variants<'_>) -> Result<(), Refused>,
) -> Option<&'static [&'static str]> {
    let found = Cell::new(None);
    let _ = deserialize(Variants(&found));
    found.get()
}

/// Asks an enum for its variants, and gives it none.
pub(super) struct Variants<'v>(&'v Cell<Option<&'static [&'static str]>>);

impl<'de> Deserializer<'de> for Variants<'_> {
    type Error = Refused;

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Refused> {
        self.0.set(Some(variants));
        Err(REFUSED)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        Err(REFUSED)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// Takes the place of a call or an error: the variant of an enum, with its parameters.
pub(super) struct MemberProbe<'p> {
    name: &'static str,
    parameters: Option<Probe<'p>>,
}

impl<'p> MemberProbe<'p> {
    pub(super) fn new(name: &'static str, parameters: Probe<'p>) -> Self {
        MemberProbe {
            name,
            parameters: Some(parameters),
        }
    }

    /// One that no definition has.
    pub(super) fn unheard() -> Self {
        MemberProbe {
            name: UNHEARD,
            parameters: None,
        }
    }
}

impl<'de> Deserializer<'de> for MemberProbe<'_> {
    type Error = Refused;

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_enum(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        Err(REFUSED)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de, 'p> EnumAccess<'de> for MemberProbe<'p> {
    type Error = Refused;
    type Variant = Parameters<'p>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Parameters<'p>), Refused> {
        let name = seed.deserialize(Key(self.name))?;
        Ok((name, Parameters(self.parameters)))
    }
}

/// What is in a call or an error; None, if there is no such.
pub(super) struct Parameters<'p>(Option<Probe<'p>>);

impl<'de> VariantAccess<'de> for Parameters<'_> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        match self.0 {
            Some(probe) => probe.fields(&[], Nothing),
            None => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refused> {
        seed.deserialize(self.0.ok_or(REFUSED)?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, Refused> {
        self.0.ok_or(REFUSED)?.deserialize_tuple(count, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.0.ok_or(REFUSED)?.fields(fields, visitor)
    }
}

/// What a variant without parameters reads them as.
struct Nothing;

impl<'de> Visitor<'de> for Nothing {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing")
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Ok(())
    }
}
