//! The pairs of buffers that are lent to connections, with the descriptors of their messages.

use heapless::Vec;

use super::places::to_usize;
use crate::bytes::erase;
use crate::peer::Descriptor;

/// The descriptors that belong to the messages in a pair of buffers.
#[derive(Debug)]
pub(super) struct Carried<const FDS: usize> {
    /// The descriptors that were received with the current message.
    pub received: Vec<Option<Descriptor>, FDS>,
    /// The descriptors to send with the message that the session has marked.
    pub attached: Vec<Descriptor, FDS>,
    /// The next pair in the list of free pairs, if this one is free.
    next: Option<u32>,
}

impl<const FDS: usize> Carried<FDS> {
    pub const fn new() -> Self {
        Carried {
            received: Vec::new(),
            attached: Vec::new(),
            next: None,
        }
    }

    /// Closes the descriptors.
    pub fn close(&mut self) {
        self.received.clear();
        self.attached.clear();
    }
}

/// All pairs of buffers, one for each place. The pair that was returned last is lent first, so
/// memory that is not needed is never touched.
#[derive(Debug)]
pub(super) struct Buffers<'b, const FDS: usize> {
    receive: &'b mut [u8],
    send: &'b mut [u8],
    /// The lengths of one receive buffer and of one send buffer.
    rx: usize,
    tx: usize,
    carried: &'b mut [Carried<FDS>],
    /// The first pair in the list of free pairs that were lent before.
    free: Option<u32>,
    /// The number of pairs that were ever lent.
    touched: u32,
}

impl<'b, const FDS: usize> Buffers<'b, FDS> {
    pub fn new<const RX: usize, const TX: usize>(
        receive: &'b mut [[u8; RX]],
        send: &'b mut [[u8; TX]],
        carried: &'b mut [Carried<FDS>],
    ) -> Self {
        Buffers {
            receive: receive.as_flattened_mut(),
            send: send.as_flattened_mut(),
            rx: RX,
            tx: TX,
            carried,
            free: None,
            touched: 0,
        }
    }

    /// Returns the length of a receive buffer.
    pub fn receive_length(&self) -> usize {
        self.rx
    }

    /// Lends a pair, and returns its index.
    pub fn lend(&mut self) -> u32 {
        if let Some(pair) = self.free {
            self.free = self
                .carried
                .get(to_usize(pair))
                .and_then(|carried| carried.next);
            return pair;
        }
        let pair = self.touched;
        self.touched = pair.saturating_add(1);
        pair
    }

    /// Takes a pair back, and closes its descriptors.
    pub fn take_back(&mut self, pair: u32) {
        let free = self.free.replace(pair);
        if let Some(carried) = self.carried.get_mut(to_usize(pair)) {
            carried.close();
            carried.next = free;
        }
    }

    /// Erases the pair that was taken back last, which may hold secrets.
    pub fn erase_free(&mut self) {
        if let Some((receive, send, _)) = self.free.and_then(|pair| self.get(pair)) {
            erase(receive);
            erase(send);
        }
    }

    /// Returns a pair, receive buffer first, and its descriptors.
    pub fn get(&mut self, pair: u32) -> Option<(&mut [u8], &mut [u8], &mut Carried<FDS>)> {
        let pair = to_usize(pair);
        Some((
            part(self.receive, pair, self.rx)?,
            part(self.send, pair, self.tx)?,
            self.carried.get_mut(pair)?,
        ))
    }
}

impl<const FDS: usize> Drop for Buffers<'_, FDS> {
    /// Closes the descriptors of messages that were neither handled nor sent.
    fn drop(&mut self) {
        let touched = to_usize(self.touched);
        self.carried
            .iter_mut()
            .take(touched)
            .for_each(Carried::close);
    }
}

/// Returns part `index` of a buffer that consists of parts of `length` bytes.
fn part(buffer: &mut [u8], index: usize, length: usize) -> Option<&mut [u8]> {
    // There are as many parts as places, so no offset of a part overflows.
    let start = index.wrapping_mul(length);
    buffer.get_mut(start..start.wrapping_add(length))
}
