//! A small generator, and addresses as plain numbers: the oracles share no code with the engine.

use std::net::Ipv4Addr;

/// xorshift64*
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}

/// A range of addresses, both ends in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    pub(crate) low: u32,
    pub(crate) high: u32,
}

impl Span {
    pub(crate) fn prefix(address: u32, length: u32) -> Self {
        let host = if length == 0 {
            u32::MAX
        } else {
            (1u64 << (32 - length)) as u32 - 1
        };
        Self {
            low: address & !host,
            high: address | host,
        }
    }

    pub(crate) fn has(self, address: u32) -> bool {
        self.low <= address && address <= self.high
    }
}

pub(crate) fn text(address: u32) -> String {
    Ipv4Addr::from(address).to_string()
}

const BASES: [u32; 10] = [
    0x0a00_0000, // 10.0.0.0, the network
    0x0a00_0100,
    0x0a01_0000, // 10.1.0.0, peered
    0x0a32_0000, // 10.50.0.0
    0x1400_0000, // 20.0.0.0
    0x1428_0000, // 20.40.0.0
    0x0808_0808, // 8.8.8.8
    0xc0a8_0000, // 192.168.0.0
    0x6440_0000, // 100.64.0.0
    0xac10_0000, // 172.16.0.0
];

/// An address near the places where rules begin and end.
pub(crate) fn address(random: &mut Random) -> u32 {
    if random.chance(5) {
        return random.next() as u32;
    }
    let base = *random.pick(&BASES);
    match random.below(4) {
        0 => base,
        1 => base.wrapping_add(random.below(512) as u32),
        2 => base.wrapping_sub(random.below(4) as u32),
        _ => base.wrapping_add(random.below(1 << 20) as u32),
    }
}

/// A prefix and its text.
pub(crate) fn prefix(random: &mut Random) -> (Span, u32, String) {
    let length = *random.pick(&[0, 1, 4, 8, 9, 10, 12, 15, 16, 20, 23, 24, 24, 28, 31, 32]);
    let span = Span::prefix(address(random), length);
    (span, length, format!("{}/{length}", text(span.low)))
}
