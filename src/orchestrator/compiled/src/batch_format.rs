//! Where the parts of a batch's head stand, in Kafka's format 2: base offset 8, length 4, leader's epoch 4, magic 1,
//! checksum 4, attributes 2, last offset delta 4, base timestamp 8, latest timestamp 8, producer id 8, its epoch 2, base
//! sequence 4, count 4. What is written and what is read have the same.

pub const LENGTH: usize = 8;
/// The length counts what is behind itself.
pub const BEHIND_LENGTH: usize = 12;
pub const MAGIC: usize = 16;
pub const CHECKSUM: usize = 17;
/// What the checksum is of begins here.
pub const ATTRIBUTES: usize = 21;
pub const LAST_OFFSET: usize = 23;
pub const FIRST_TIMESTAMP: usize = 27;
pub const MOST_TIMESTAMP: usize = 35;
pub const PRODUCER: usize = 43;
pub const COUNT: usize = 57;
/// How long it is.
pub const HEAD: usize = 61;

/// The format's number, as it stands at `MAGIC`.
pub const FORMAT: u8 = 2;

pub const CODEC: u16 = 0x07;
pub const LOG_APPEND_TIME: u16 = 0x08;
pub const TRANSACTIONAL: u16 = 0x10;
pub const CONTROL: u16 = 0x20;
