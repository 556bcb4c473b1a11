//! The types of fields.

use core::fmt::{self, Write};

use super::needs::{As, Generator, Leaf, NESTED, Shape};
use crate::idl::table::Kind as K;

impl<'a> Generator<'a> {
    /// The type of a field.
    pub(super) fn ty(&self, f: &mut dyn Write, shape: Shape, of: As) -> fmt::Result {
        if !shape.nullable {
            return self.leaf(f, shape.leaf, of, NESTED);
        }
        f.write_str("Option<")?;
        self.leaf(f, shape.leaf, of, NESTED)?;
        f.write_str(">")
    }

    pub(super) fn leaf(&self, f: &mut dyn Write, leaf: Leaf, of: As, nested: u8) -> fmt::Result {
        let lifetime = match of {
            As::Own(parameter) if self.is_open(leaf) => return self.parameter(f, parameter),
            As::Own(_) => "'a",
            As::Received(lifetime) => lifetime,
        };
        match leaf {
            Leaf::Plain(name) => f.write_str(name),
            Leaf::String => write!(f, "&{lifetime} str"),
            Leaf::Struct(list) if self.borrowing.has(list) => {
                self.name(f, list)?;
                write!(f, "<{lifetime}>")
            }
            Leaf::Struct(list) if self.open.has(list) && nested > 0 => {
                self.name(f, list)?;
                f.write_str("<")?;
                for (number, shape) in self.open_shapes(list).enumerate() {
                    f.write_str(if number == 0 { "" } else { ", " })?;
                    self.leaf(f, shape.leaf, of, nested.saturating_sub(1))?;
                }
                f.write_str(">")
            }
            Leaf::Struct(list) if !self.open.has(list) => self.name(f, list),
            Leaf::Enum(list) => self.name(f, list),
            Leaf::Raw | Leaf::Endless | Leaf::Struct(_) => {
                self.raw.set(true);
                write!(f, "Raw<{lifetime}>")
            }
        }
    }

    /// The name of a struct's type parameter: a letter that is not the name of a type.
    pub(super) fn parameter(&self, f: &mut dyn Write, number: usize) -> fmt::Result {
        let letters = (0_u16..).flat_map(|round| ('A'..='Z').map(move |letter| (letter, round)));
        let names = letters.filter_map(|(letter, round)| {
            let mut name = heapless::String::<8>::new();
            name.push(letter).ok()?;
            if round > 0 {
                write!(name, "{round}").ok()?;
            }
            let taken = self.definition.find(&name);
            (!taken.is_some_and(|member| self.is_item(member))).then_some(name)
        });
        let name = names.into_iter().nth(number).unwrap_or_default();
        f.write_str(&name)
    }

    /// What the definition says about a type parameter, with the names of Rust.
    pub(super) fn declared(&self, f: &mut dyn Write, field: u16) -> fmt::Result {
        let mut index = field;
        loop {
            index = index.saturating_add(1);
            f.write_str(match self.kind(index) {
                K::Nullable => "?",
                K::Array => "[]",
                K::Map => "[string]",
                K::Bool => return f.write_str("bool"),
                K::Int => return f.write_str("int"),
                K::Float => return f.write_str("float"),
                K::String => return f.write_str("string"),
                K::Object => return f.write_str("object"),
                K::Any => return f.write_str("any"),
                K::Struct if self.is_empty(index) => return f.write_str("()"),
                K::Reference => {
                    let list = self.definition.entry(index).link.saturating_add(1);
                    return self.name(f, list);
                }
                _ => return self.name(f, index),
            })?;
        }
    }
}
