//! Items for calls that wait: encoded once, whoever and how many wait for them.

use serde::Serialize;

use crate::error::EncodeError;
use crate::message::Envelope;

/// What becomes of a client that waits for items of a topic, and does not read those that it has
/// been sent: there is no room for the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lagging {
    /// Its connection is closed, with [`EncodeError::Lagging`]; [`Service::abandoned`] and
    /// [`Service::failed`] are told.
    ///
    /// [`Service::abandoned`]: super::Service::abandoned
    /// [`Service::failed`]: super::Service::failed
    #[default]
    Drop,
    /// It misses items. When it has read what it was sent, [`Service::missed`](super::Service::missed)
    /// is told how many they were, and says so to the client.
    Skip,
}

/// A queue of items that were published and not yet delivered, in a buffer.
#[derive(Debug)]
pub(crate) struct Published<'c> {
    buffer: &'c mut [u8],
    used: &'c mut usize,
}

/// One item.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'a> {
    pub topic: u32,
    /// No other follows: it is the final reply of everyone who waits.
    pub last: bool,
    /// A reply that does not continue, with its NUL.
    pub reply: &'a [u8],
}

/// The topic, whether it is the last, and the reply's length.
const HEADER: usize = 9;

/// What a reply has in front that others follow.
const CONTINUES: &[u8] = b"\"continues\":true,";

impl<'c> Published<'c> {
    /// A queue in a buffer of which some bytes are used.
    pub fn new(buffer: &'c mut [u8], used: &'c mut usize) -> Self {
        Published { buffer, used }
    }

    /// The same, for a shorter time.
    pub fn again(&mut self) -> Published<'_> {
        Published {
            buffer: self.buffer,
            used: self.used,
        }
    }

    /// Puts an item behind the others, if a send buffer of the same size holds it in any case.
    pub fn push<P>(&mut self, topic: u32, last: bool, parameters: &P) -> Result<(), EncodeError>
    where
        P: Serialize + ?Sized,
    {
        let longest = self.buffer.len().saturating_sub(CONTINUES.len());
        let free = self.buffer.get_mut(*self.used..).unwrap_or_default();
        let (header, room) = free
            .split_first_chunk_mut::<HEADER>()
            .ok_or(EncodeError::Full)?;
        let longest = longest.min(room.len());
        let room = room.get_mut(..longest).unwrap_or_default();
        let envelope = Envelope::Reply { continues: false };
        let length = envelope.write(room, &|writer| _ = writer.value(parameters))?;
        let [a, b, c, d] = topic.to_ne_bytes();
        let [e, f, g, h] = u32::try_from(length)
            .map_err(|_| EncodeError::Full)?
            .to_ne_bytes();
        *header = [a, b, c, d, u8::from(last), e, f, g, h];
        *self.used = self.used.saturating_add(HEADER).saturating_add(length);
        Ok(())
    }
}

/// Takes the first item of a queue's bytes.
pub(crate) fn next_item<'a>(bytes: &mut &'a [u8]) -> Option<Item<'a>> {
    let (&[a, b, c, d, last, e, f, g, h], rest) = bytes.split_first_chunk::<HEADER>()?;
    let length = usize::try_from(u32::from_ne_bytes([e, f, g, h])).ok()?;
    let (reply, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some(Item {
        topic: u32::from_ne_bytes([a, b, c, d]),
        last: last != 0,
        reply,
    })
}

impl Item<'_> {
    /// How long it is, whichever way it is written.
    pub fn longest(&self) -> usize {
        self.reply.len().saturating_add(CONTINUES.len())
    }

    /// Writes the item as a reply that others follow, or that none follows.
    pub fn write(&self, room: &mut [u8], continues: bool) -> Result<usize, EncodeError> {
        let rest = self.reply.get(1..).unwrap_or_default();
        let begin: &[u8] = match (continues, rest) {
            (false, _) => b"{",
            (true, b"}\0") => b"{\"continues\":true",
            (true, _) => b"{\"continues\":true,",
        };
        let length = begin.len().saturating_add(rest.len());
        let room = room.get_mut(..length).ok_or(EncodeError::Full)?;
        let bytes = begin.iter().chain(rest);
        room.iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = *from);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[derive(Serialize)]
    struct Number {
        n: u32,
    }

    #[test]
    fn items_come_out_in_order_and_as_replies_of_both_kinds() {
        let (mut buffer, mut used) = ([0; 100], 0);
        let mut published = Published::new(&mut buffer, &mut used);
        published.push(7, false, &Number { n: 1 }).unwrap();
        published.push(8, true, &()).unwrap();
        let mut bytes = &buffer[..used];
        let mut seen = Vec::new();
        while let Some(item) = next_item(&mut bytes) {
            for continues in [false, true] {
                let mut room = [0; 64];
                let length = item.write(&mut room, continues).unwrap();
                seen.push((item.topic, item.last, room[..length].to_vec()));
                assert_eq!(
                    item.write(&mut room[..length - 1], continues),
                    Err(EncodeError::Full)
                );
            }
        }
        assert_eq!(
            seen,
            [
                (7, false, b"{\"parameters\":{\"n\":1}}\0".to_vec()),
                (
                    7,
                    false,
                    b"{\"continues\":true,\"parameters\":{\"n\":1}}\0".to_vec()
                ),
                (8, true, b"{}\0".to_vec()),
                (8, true, b"{\"continues\":true}\0".to_vec()),
            ]
        );
    }

    #[test]
    fn an_item_without_room_leaves_nothing_behind() {
        for size in 0..40 {
            let (mut buffer, mut used) = (std::vec![0; size], 0);
            let mut published = Published::new(&mut buffer, &mut used);
            let fits = size >= CONTINUES.len() + b"{\"parameters\":{\"n\":1}}\0".len();
            let pushed = published.push(7, false, &Number { n: 1 });
            assert_eq!(pushed.is_ok(), fits);
            assert_eq!(next_item(&mut &buffer[..used]).is_some(), fits);
        }
    }
}
