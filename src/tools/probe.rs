//! A deserializer without data: it asks a type what it is, and compares that with a definition.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::format;
use std::iter;
use std::string::String;
use std::vec::Vec;

use serde::de::value::{BorrowedStrDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Expected, IgnoredAny, IntoDeserializer,
    Unexpected, VariantAccess, Visitor,
};

use crate::idl::{Interface, Type, TypeKind};
use crate::interface;
use crate::json::Raw;

/// How many types within one another are looked at: types can contain themselves.
const DEPTH: usize = 16;

/// The values that are tried: `0` and `""`, then `1` and `"a"`.
pub(super) const VALUES: [u8; 2] = [0, 1];

/// The name of a member, a field or a value that no definition has.
pub(super) const UNHEARD: &str = "-";

/// A definition of the keys of all maps.
const KEYS: Interface = interface!(text "interface map.keys\ntype Map (key: string)");

/// A name, or a value of an enumeration.
pub(super) fn text(text: &'static str) -> BorrowedStrDeserializer<'static, Rejection> {
    BorrowedStrDeserializer::new(text)
}

type Result<T> = std::result::Result<T, Rejection>;

/// The names of fields, or of values.
type Names = &'static [&'static str];

/// Why a type does not take what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejection {
    /// This field is missing.
    Missing(&'static str),
    /// A value of an enumeration has content.
    Content,
    Other,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Rejection {}

impl de::Error for Rejection {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Rejection::Other
    }

    fn missing_field(field: &'static str) -> Self {
        Rejection::Missing(field)
    }

    fn invalid_type(unexpected: Unexpected<'_>, _: &dyn Expected) -> Self {
        if unexpected == Unexpected::UnitVariant {
            Rejection::Content
        } else {
            Rejection::Other
        }
    }
}

/// What a type is tried with.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Attempt {
    /// All that the definition has.
    #[default]
    Everything,
    /// Without what may be null.
    Little,
    /// With fields that the definition does not have.
    More,
    /// With values of enumerations that the definition does not have, where a type has one that
    /// may stand for all others (`#[serde(other)]`).
    Others,
}

/// One attempt at a type: what it is given, and in what it differs.
#[derive(Default)]
pub(super) struct Run {
    attempt: Attempt,
    /// Which value it is given.
    value: u8,
    /// Which variant of enumerations it is given. All but the first look only at these.
    pub(super) variant: usize,
    /// Whether enumerations may have one value that stands for all others.
    pub(super) others: bool,
    /// The differences: a path to a field, or an empty one, and what is different.
    pub(super) seen: RefCell<Vec<(String, String)>>,
    /// How many variants the largest enumeration in the type has.
    pub(super) variants: Cell<usize>,
    /// The variants of the type, if it is an enum.
    pub(super) enumeration: Cell<Option<Names>>,
}

impl Run {
    pub(super) fn new(attempt: Attempt, value: u8) -> Self {
        Run {
            attempt,
            value,
            ..Run::default()
        }
    }
}

/// Takes the place of a value.
#[derive(Clone)]
pub(super) struct Probe<'r> {
    run: &'r Run,
    /// The field that it is in, such as `to.distance`; empty at first.
    path: String,
    /// The structures that it is in.
    around: Vec<Type<'static>>,
    /// How many types it is in.
    depth: usize,
    /// What it should be. None, if it may be anything.
    ty: Option<Type<'static>>,
}

impl<'r> Probe<'r> {
    pub(super) fn new(run: &'r Run, ty: Option<Type<'static>>) -> Self {
        Probe {
            run,
            path: String::new(),
            around: Vec::new(),
            depth: 0,
            ty,
        }
    }

    fn see(&self, what: String) {
        if self.run.variant == 0 {
            self.run.seen.borrow_mut().push((self.path.clone(), what));
        }
    }

    /// One level further in.
    fn within(mut self, ty: Option<Type<'static>>) -> Self {
        self.depth = self.depth.saturating_add(1);
        self.ty = ty;
        self
    }

    /// A field of the structure.
    fn field(&self, name: &str, ty: Option<Type<'static>>) -> Self {
        let mut field = self.clone().within(ty);
        if !field.path.is_empty() {
            field.path.push('.');
        }
        field.path += name;
        field.around.extend(self.ty.map(|ty| ty.resolved()));
        field
    }

    /// Checks that it should be of a kind that fits a type, which can't be null.
    fn kind(&self, rust: &str, fits: impl Fn(Type<'static>) -> bool) -> Option<Type<'static>> {
        let ty = self.ty?;
        let plain = match ty.resolved().kind() {
            TypeKind::Nullable(inner) => {
                self.see(format!(
                    "is {ty}, which is nullable; in Rust it is not an Option"
                ));
                inner.resolved()
            }
            _ => ty.resolved(),
        };
        if fits(plain) {
            Some(plain)
        } else {
            self.see(format!("is {ty}; in Rust it is {rust}"));
            None
        }
    }

    /// Whether there is no need to look at another value of this type: it is within one.
    fn is_within_itself(&self, ty: Option<Type<'static>>) -> bool {
        let ty = ty.map(|ty| match ty.kind() {
            TypeKind::Nullable(inner) => inner.resolved(),
            _ => ty.resolved(),
        });
        // Nothing is known of a value that may be anything, nor when it would end.
        ty.is_none_or(|ty| self.around.iter().any(|around| around.index == ty.index))
            || self.depth >= DEPTH
    }

    /// A structure: compares its fields with those of the definition, and gives it all that both
    /// have.
    fn fields<'de, V: Visitor<'de>>(self, names: Names, visitor: V) -> Result<V::Value> {
        let fits = |ty: Type<'_>| matches!(ty.kind(), TypeKind::Struct | TypeKind::Object);
        let list = self.kind("a structure", fits);
        let list = list.filter(|ty| matches!(ty.kind(), TypeKind::Struct));
        let defined = list.map(|ty| ty.fields().map(|field| (field.name(), field.ty())));
        let defined: Option<Vec<_>> = defined.map(Iterator::collect);
        let mut given = Vec::new();
        for name in names {
            let mut known = defined.iter().flatten();
            let ty = known.find(|(known, _)| known == name).map(|(_, ty)| *ty);
            let field = self.field(name, ty);
            let nullable = ty.is_some_and(|ty| matches!(ty.kind(), TypeKind::Nullable(_)));
            if ty.is_none() && defined.is_some() {
                field.see("the definition does not have it".into());
            } else if !(nullable && self.run.attempt == Attempt::Little) {
                given.push((text(name), field));
            }
        }
        let mut missing = defined.unwrap_or_default();
        missing.retain(|(name, _)| !names.contains(name));
        for (name, _) in missing {
            let field = self.field(name, None);
            field.see("the Rust type does not have it".into());
        }
        if self.run.attempt == Attempt::More {
            given.push((text(UNHEARD), self.field(UNHEARD, None)));
        }
        visitor.visit_map(MapDeserializer::new(given.into_iter()))
    }

    /// A list. Its number of elements is given if it is part of the Rust type.
    fn elements<'de, V: Visitor<'de>>(self, count: Option<usize>, visitor: V) -> Result<V::Value> {
        let list = self.kind("a list", |ty| matches!(ty.kind(), TypeKind::Array(_)));
        let element = list.and_then(content);
        let count = count.unwrap_or(usize::from(!self.is_within_itself(element)));
        let elements = iter::repeat_n(self.within(element), count);
        visitor.visit_seq(SeqDeserializer::new(elements))
    }

    /// A struct with one field, which may be a [`Raw`].
    fn newtype<'de, V: Visitor<'de>>(self, name: &str, visitor: V) -> Result<V::Value> {
        if name == Raw::NAME {
            // It may be anything but null.
            self.kind("", |_| true);
            visitor.visit_borrowed_str("{}")
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    /// An enumeration: compares its values with those of the definition, and gives it one of them.
    fn enumeration<'de, V: Visitor<'de>>(self, variants: Names, visitor: V) -> Result<V::Value> {
        if self.depth == 0 {
            self.run.enumeration.set(Some(variants));
        }
        if let Some(ty) = self.kind("an enumeration", |ty| matches!(ty.kind(), TypeKind::Enum)) {
            let values: Vec<_> = ty.values().map(|value| value.name()).collect();
            let extra = variants.iter().filter(|variant| !values.contains(variant));
            let other = extra.clone().count() == 1;
            if other && self.run.attempt == Attempt::Others {
                return visitor.visit_enum(text(UNHEARD));
            }
            for variant in extra.filter(|_| !(other && self.run.others)) {
                self.see(format!("the definition does not have the value {variant}"));
            }
            for value in values.iter().filter(|value| !variants.contains(value)) {
                self.see(format!("the Rust type does not have the value {value}"));
            }
        }
        let count = self.run.variants.get().max(variants.len());
        self.run.variants.set(count);
        let variant = variants.get(self.run.variant).or(variants.first());
        let variant = *variant.ok_or(Rejection::Other)?;
        visitor.visit_enum(text(variant)).inspect_err(|refused| {
            if *refused == Rejection::Content {
                let what = format!("the value {variant} has content in Rust");
                self.run.seen.borrow_mut().push((self.path.clone(), what));
            }
        })
    }
}

/// The type of the elements of a list, or of the values of a map.
fn content(ty: Type<'static>) -> Option<Type<'static>> {
    match ty.kind() {
        TypeKind::Array(inner) | TypeKind::Map(inner) => Some(inner),
        _ => None,
    }
}

/// Methods for a visitor that are those of other names, or with other arguments.
macro_rules! methods {
    ($($method:ident($($argument:ident: $type:ty),*) = $like:ident($($given:expr),*);)*) => {
        $(
            fn $method<V: Visitor<'de>>(
                self,
                $($argument: $type,)*
                visitor: V,
            ) -> Result<V::Value> {
                self.$like($($given,)* visitor)
            }
        )*
    };
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Rejection;

    methods! {
        deserialize_u8() = deserialize_u64();
        deserialize_u16() = deserialize_u64();
        deserialize_u32() = deserialize_u64();
        deserialize_i8() = deserialize_u64();
        deserialize_i16() = deserialize_u64();
        deserialize_i32() = deserialize_u64();
        deserialize_i64() = deserialize_u64();
        deserialize_f32() = deserialize_f64();
        deserialize_string() = deserialize_str();
        deserialize_byte_buf() = deserialize_bytes();
        deserialize_identifier() = deserialize_str();
        deserialize_unit_struct(_name: &'static str) = deserialize_unit();
        deserialize_ignored_any() = deserialize_any();
        deserialize_seq() = elements(None);
        deserialize_tuple(count: usize) = elements(Some(count));
        deserialize_tuple_struct(_name: &'static str, count: usize) = elements(Some(count));
        deserialize_newtype_struct(name: &'static str) = newtype(name);
        deserialize_struct(_name: &'static str, names: Names) = fields(names);
        deserialize_enum(_name: &'static str, variants: Names) = enumeration(variants);
    }

    /// A type that takes anything is given something of the right kind, and nothing in it.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.ty.map(|ty| ty.resolved().kind()) {
            Some(TypeKind::Bool) => visitor.visit_bool(false),
            Some(TypeKind::Int) => visitor.visit_u64(self.run.value.into()),
            Some(TypeKind::Float) => visitor.visit_f64(self.run.value.into()),
            Some(TypeKind::String | TypeKind::Enum) => visitor.visit_borrowed_str("a"),
            Some(TypeKind::Array(_)) => {
                visitor.visit_seq(SeqDeserializer::new(iter::empty::<Probe<'_>>()))
            }
            Some(TypeKind::Nullable(_)) => visitor.visit_none(),
            _ => visitor.visit_map(MapDeserializer::new(iter::empty::<(Probe<'_>, Probe<'_>)>())),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.kind("bool", |ty| matches!(ty.kind(), TypeKind::Bool));
        visitor.visit_bool(false)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.kind("an integer", |ty| matches!(ty.kind(), TypeKind::Int));
        visitor.visit_u64(self.run.value.into())
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.kind("a float", |ty| matches!(ty.kind(), TypeKind::Float));
        visitor.visit_f64(self.run.value.into())
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.kind("a string", |ty| matches!(ty.kind(), TypeKind::String));
        visitor.visit_borrowed_str(if self.run.value == 0 { "" } else { "a" })
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.kind("a string", |ty| matches!(ty.kind(), TypeKind::String));
        visitor.visit_borrowed_str("a")
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, _: V) -> Result<V::Value> {
        self.kind("bytes", |_| false);
        Err(Rejection::Other)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let inner = self.ty.map(|ty| match ty.kind() {
            TypeKind::Nullable(inner) => inner,
            _ => {
                self.see(format!(
                    "is {ty}, which is not nullable; in Rust it is an Option"
                ));
                ty
            }
        });
        if self.is_within_itself(inner) {
            visitor.visit_none()
        } else {
            visitor.visit_some(self.within(inner))
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.kind("a structure without fields", |ty| match ty.kind() {
            TypeKind::Struct => ty.fields().next().is_none(),
            kind => matches!(kind, TypeKind::Object),
        });
        visitor.visit_unit()
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let map = self.kind("a map", |ty| {
            matches!(ty.kind(), TypeKind::Map(_) | TypeKind::Object)
        });
        let value = map.and_then(content);
        let count = usize::from(!self.is_within_itself(value));
        let mut keys = KEYS.members().flat_map(|map| map.ty().fields());
        let key = self.clone().within(keys.next().map(|key| key.ty()));
        let entries = iter::repeat_n((key, self.within(value)), count);
        visitor.visit_map(MapDeserializer::new(entries))
    }
}

/// Takes the place of a call or an error: the variant of an enum, with its parameters.
pub(super) struct MemberProbe<'r> {
    pub(super) name: &'static str,
    pub(super) parameters: Probe<'r>,
}

impl<'de, 'r> EnumAccess<'de> for MemberProbe<'r> {
    type Error = Rejection;
    type Variant = Probe<'r>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Probe<'r>)> {
        Ok((seed.deserialize(text(self.name))?, self.parameters))
    }
}

impl<'de> VariantAccess<'de> for Probe<'_> {
    type Error = Rejection;

    methods! {
        tuple_variant(count: usize) = elements(Some(count));
        struct_variant(names: Names) = fields(names);
    }

    fn unit_variant(self) -> Result<()> {
        self.fields(&[], IgnoredAny).map(drop)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value> {
        seed.deserialize(self)
    }
}

impl<'de> IntoDeserializer<'de, Rejection> for Probe<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
