//! Classic BPF, which the kernel runs on packets for us without any privilege: a small assembler.

/// Where a jump that is not taken goes on.
pub(super) const NEXT: &str = "";

pub(super) const LD_W_IND: u16 = 0x40;
pub(super) const LD_H_IND: u16 = 0x48;
pub(super) const LD_B_IND: u16 = 0x50;
pub(super) const LD_W_ABS: u16 = 0x20;
pub(super) const LD_B_ABS: u16 = 0x30;
pub(super) const LD_MEM: u16 = 0x60;
pub(super) const LDX_IMM: u16 = 0x01;
pub(super) const LDX_MEM: u16 = 0x61;
/// Four times the lower half of an octet: the length of an IPv4 header that begins there.
pub(super) const LDX_HEADER_LEN: u16 = 0xb1;
pub(super) const ST: u16 = 0x02;
pub(super) const ADD_K: u16 = 0x04;
pub(super) const ADD_X: u16 = 0x0c;
pub(super) const MUL_K: u16 = 0x24;
pub(super) const AND_K: u16 = 0x54;
pub(super) const LSH_K: u16 = 0x64;
pub(super) const RSH_K: u16 = 0x74;
pub(super) const MOD_K: u16 = 0x94;
pub(super) const XOR_X: u16 = 0xac;
pub(super) const RET_K: u16 = 0x06;
pub(super) const RET_A: u16 = 0x16;
pub(super) const TAX: u16 = 0x07;
pub(super) const TXA: u16 = 0x87;
const JA: u16 = 0x05;
const JEQ_K: u16 = 0x15;

/// Instructions, with names for the places to which they jump, all of them forward.
#[derive(Debug, Default)]
pub(super) struct Program {
    code: Vec<(u16, u32, &'static str, &'static str)>,
    labels: Vec<(&'static str, usize)>,
}

impl Program {
    /// Adds an instruction that does not jump.
    pub(super) fn op(&mut self, code: u16, k: u32) -> &mut Self {
        self.code.push((code, k, NEXT, NEXT));
        self
    }

    /// Jumps always.
    pub(super) fn jump(&mut self, to: &'static str) -> &mut Self {
        self.code.push((JA, 0, to, NEXT));
        self
    }

    /// Jumps by whether the accumulator is `k`.
    pub(super) fn if_equal(&mut self, k: u32, then: &'static str, otherwise: &'static str) -> &mut Self {
        self.code.push((JEQ_K, k, then, otherwise));
        self
    }

    /// Names the place of the next instruction.
    pub(super) fn label(&mut self, label: &'static str) -> &mut Self {
        self.labels.push((label, self.code.len()));
        self
    }

    /// As the kernel takes it.
    pub(super) fn assemble(&self) -> Vec<libc::sock_filter> {
        let distance = |at: usize, label: &str| {
            let place = self.labels.iter().find(|(known, _)| *known == label);
            place.map_or(0, |(_, to)| to.saturating_sub(at + 1)) as u32
        };
        let instruction = |(at, &(code, k, then, otherwise)): (usize, &(u16, u32, &str, &str))| match code {
            JA => libc::sock_filter { code, jt: 0, jf: 0, k: distance(at, then) },
            _ => {
                libc::sock_filter { code, jt: distance(at, then) as u8, jf: distance(at, otherwise) as u8, k }
            }
        };
        self.code.iter().enumerate().map(instruction).collect()
    }
}
