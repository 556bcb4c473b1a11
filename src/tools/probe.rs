//! A deserializer that inspects a Rust type: it compares the values that the type requests with a
//! definition, and provides sample values.

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

/// The maximum nesting depth of types that are checked. It ends the check of a type that contains
/// itself.
const DEPTH: usize = 16;

/// The sample values: `0` and `""`, then `1` and `"a"`.
pub(super) const VALUES: [u8; 2] = [0, 1];

/// An unknown name of a member, a field or a value: no definition can have it.
pub(super) const UNKNOWN: &str = "-";

/// A definition whose only field has the type of the keys of maps.
const KEYS: Interface = interface!(text "interface map.keys\ntype Map (key: string)");

/// Returns a deserializer for a name, or for a value of an enumeration.
pub(super) fn text(text: &'static str) -> BorrowedStrDeserializer<'static, Rejection> {
    BorrowedStrDeserializer::new(text)
}

type Result<T> = std::result::Result<T, Rejection>;

/// The names of fields or of variants.
type Names = &'static [&'static str];

/// The reason why a type refuses a sample value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejection {
    /// The type requires this field.
    Missing(&'static str),
    /// A variant has content, but a value of an enumeration has none.
    Content,
    /// Any other reason.
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

/// The content of the samples for a type.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Attempt {
    /// All fields of the definition.
    #[default]
    Everything,
    /// Only the fields that are not nullable.
    Required,
    /// All fields, and an unknown one in each structure.
    More,
    /// All fields, with an unknown value for each enumeration whose Rust type has one extra
    /// variant, which may be `#[serde(other)]`.
    Others,
}

/// One deserialization of a type: the samples, and the differences that it finds.
#[derive(Default)]
pub(super) struct Run {
    attempt: Attempt,
    /// The sample value: one of [`VALUES`].
    value: u8,
    /// The index of the variant that enumerations are given. A run with a variant other than the
    /// first checks only whether this variant has content.
    pub(super) variant: usize,
    /// True if one extra variant of an enumeration may be `#[serde(other)]`.
    pub(super) others: bool,
    /// The differences: the path to a field, which may be empty, and a text.
    pub(super) found: RefCell<Vec<(String, String)>>,
    /// The number of variants of the largest enumeration in the type.
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

/// The deserializer of one value.
#[derive(Clone)]
pub(super) struct Probe<'r> {
    run: &'r Run,
    /// The path to the field that contains it, such as `to.distance`. Empty at the top.
    path: String,
    /// The structures that enclose it.
    enclosing: Vec<Type<'static>>,
    /// The number of types that enclose it.
    depth: usize,
    /// The type in the definition, or None if any type is allowed.
    ty: Option<Type<'static>>,
}

impl<'r> Probe<'r> {
    pub(super) fn new(run: &'r Run, ty: Option<Type<'static>>) -> Self {
        Probe {
            run,
            path: String::new(),
            enclosing: Vec::new(),
            depth: 0,
            ty,
        }
    }

    /// Adds a difference. Only the run with the first variant does, so that each is added once.
    fn report(&self, what: String) {
        if self.run.variant == 0 {
            self.run.found.borrow_mut().push((self.path.clone(), what));
        }
    }

    /// Returns the probe for a value one level deeper.
    fn within(mut self, ty: Option<Type<'static>>) -> Self {
        self.depth = self.depth.saturating_add(1);
        self.ty = ty;
        self
    }

    /// Returns the probe for a field of the structure.
    fn field(&self, name: &str, ty: Option<Type<'static>>) -> Self {
        let mut field = self.clone().within(ty);
        if !field.path.is_empty() {
            field.path.push('.');
        }
        field.path += name;
        field.enclosing.extend(self.ty.map(|ty| ty.resolved()));
        field
    }

    /// Checks that the type in the definition is not nullable and fits a Rust type that cannot be
    /// null. Returns the type without `?` if it fits.
    fn kind(&self, rust: &str, fits: impl Fn(Type<'static>) -> bool) -> Option<Type<'static>> {
        let ty = self.ty?;
        let plain = match ty.resolved().kind() {
            TypeKind::Nullable(inner) => {
                self.report(format!(
                    "is {ty}, which is nullable; in Rust it is not an Option"
                ));
                inner.resolved()
            }
            _ => ty.resolved(),
        };
        if fits(plain) {
            Some(plain)
        } else {
            self.report(format!("is {ty}; in Rust it is {rust}"));
            None
        }
    }

    /// True if a value of this type is left out, to end the recursion: it is inside a value of the
    /// same type, any type is allowed, or it is too deep.
    fn ends_recursion(&self, ty: Option<Type<'static>>) -> bool {
        let ty = ty.map(|ty| match ty.kind() {
            TypeKind::Nullable(inner) => inner.resolved(),
            _ => ty.resolved(),
        });
        // If any type is allowed, the recursion cannot be detected.
        ty.is_none_or(|ty| self.enclosing.iter().any(|outer| outer.index == ty.index))
            || self.depth >= DEPTH
    }

    /// True if this is a field with which its structure contains itself. A value would be infinite,
    /// so an `Option` is the only way to write the type in Rust.
    fn is_endless(&self, ty: Type<'static>) -> bool {
        self.enclosing.last().is_some_and(|outer| {
            outer.fields().any(|field| field.ty() == ty) && contains(ty.resolved(), *outer)
        })
    }

    /// Deserializes a structure: compares its fields with the definition, and gives it the fields
    /// that both have.
    fn fields<'de, V: Visitor<'de>>(mut self, names: Names, visitor: V) -> Result<V::Value> {
        let fits = |ty: Type<'_>| matches!(ty.kind(), TypeKind::Struct | TypeKind::Object);
        let list = self.kind("a structure", fits);
        let list = list.filter(|ty| matches!(ty.kind(), TypeKind::Struct));
        let mut outer = self.enclosing.iter();
        if let Some(ty) = list.filter(|_| self.depth >= DEPTH)
            && let Some(first) = outer.position(|outer| outer.index == ty.index)
        {
            let path: Vec<_> = self.path.split('.').take(first.saturating_add(1)).collect();
            self.path = path.join(".");
            let ty = self.ty.unwrap_or(ty);
            self.report(format!(
                "is {ty}, which contains itself; in Rust it is not an Option"
            ));
            return Err(Rejection::Other);
        }
        let defined = list.map(|ty| ty.fields().map(|field| (field.name(), field.ty())));
        let defined: Option<Vec<_>> = defined.map(Iterator::collect);
        let mut given = Vec::new();
        for name in names {
            let mut known = defined.iter().flatten();
            let ty = known.find(|(known, _)| known == name).map(|(_, ty)| *ty);
            let field = self.field(name, ty);
            let nullable = ty.is_some_and(|ty| matches!(ty.kind(), TypeKind::Nullable(_)));
            if ty.is_none() && defined.is_some() {
                field.report("the definition does not have it".into());
            } else if !(nullable && self.run.attempt == Attempt::Required) {
                given.push((text(name), field));
            }
        }
        let mut missing = defined.unwrap_or_default();
        missing.retain(|(name, _)| !names.contains(name));
        for (name, _) in missing {
            let field = self.field(name, None);
            field.report("the Rust type does not have it".into());
        }
        if self.run.attempt == Attempt::More {
            given.push((text(UNKNOWN), self.field(UNKNOWN, None)));
        }
        visitor.visit_map(MapDeserializer::new(given.into_iter()))
    }

    /// Deserializes a list. `count` is the number of elements if the Rust type determines it.
    fn elements<'de, V: Visitor<'de>>(self, count: Option<usize>, visitor: V) -> Result<V::Value> {
        let list = self.kind("a list", |ty| matches!(ty.kind(), TypeKind::Array(_)));
        let element = list.and_then(content);
        let count = count.unwrap_or(usize::from(!self.ends_recursion(element)));
        let elements = iter::repeat_n(self.within(element), count);
        visitor.visit_seq(SeqDeserializer::new(elements))
    }

    /// Deserializes a struct with one unnamed field, which may be a [`Raw`].
    fn newtype<'de, V: Visitor<'de>>(self, name: &str, visitor: V) -> Result<V::Value> {
        if name == Raw::NAME {
            // A `Raw` can be anything except null.
            self.kind("", |_| true);
            visitor.visit_borrowed_str("{}")
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    /// Deserializes an enumeration: compares its variants with the values of the definition, and
    /// gives it one of them.
    fn enumeration<'de, V: Visitor<'de>>(self, variants: Names, visitor: V) -> Result<V::Value> {
        if self.depth == 0 {
            self.run.enumeration.set(Some(variants));
        }
        if let Some(ty) = self.kind("an enumeration", |ty| matches!(ty.kind(), TypeKind::Enum)) {
            let values: Vec<_> = ty.values().map(|value| value.name()).collect();
            let extra = variants.iter().filter(|variant| !values.contains(variant));
            let other = extra.clone().count() == 1;
            if other && self.run.attempt == Attempt::Others {
                return visitor.visit_enum(text(UNKNOWN));
            }
            for variant in extra.filter(|_| !(other && self.run.others)) {
                self.report(format!("the definition does not have the value {variant}"));
            }
            for value in values.iter().filter(|value| !variants.contains(value)) {
                self.report(format!("the Rust type does not have the value {value}"));
            }
        }
        let count = self.run.variants.get().max(variants.len());
        self.run.variants.set(count);
        let variant = variants.get(self.run.variant).or(variants.first());
        let variant = *variant.ok_or(Rejection::Other)?;
        visitor.visit_enum(text(variant)).inspect_err(|refused| {
            if *refused == Rejection::Content {
                let what = format!("the value {variant} has content in Rust");
                self.run.found.borrow_mut().push((self.path.clone(), what));
            }
        })
    }
}

/// Returns the type of the elements of a list, or of the values of a map.
fn content(ty: Type<'static>) -> Option<Type<'static>> {
    match ty.kind() {
        TypeKind::Array(inner) | TypeKind::Map(inner) => Some(inner),
        _ => None,
    }
}

/// True if each value of the structure `outer` contains one of `inner`.
fn contains(outer: Type<'static>, inner: Type<'static>) -> bool {
    let mut lists = std::vec![outer];
    let mut next = 0;
    while let Some(list) = lists.get(next).copied() {
        if list == inner {
            return true;
        }
        next = next.saturating_add(1);
        for field in list.fields().map(|field| field.ty().resolved()) {
            if !lists.contains(&field) {
                lists.push(field);
            }
        }
    }
    false
}

/// Defines methods of a deserializer that call another method.
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

    /// Gives a minimal value of the defined kind to a type that accepts any kind.
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
            _ if self.is_endless(ty) => ty,
            _ => {
                self.report(format!(
                    "is {ty}, which is not nullable; in Rust it is an Option"
                ));
                ty
            }
        });
        if self.ends_recursion(inner) {
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
        let count = usize::from(!self.ends_recursion(value));
        let mut keys = KEYS.members().flat_map(|map| map.ty().fields());
        let key = self.clone().within(keys.next().map(|key| key.ty()));
        let entries = iter::repeat_n((key, self.within(value)), count);
        visitor.visit_map(MapDeserializer::new(entries))
    }
}

/// The deserializer of a call or an error: a variant of an enum, with its parameters.
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
