//! Identities: of a store, and of the boot in which it was last used.

use std::fmt;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// The identity of a store: 128 random bits that it gets when it is made and keeps for ever.
///
/// ```
/// let id: deespec::StoreId = "00000000000000010000000000000002".parse()?;
/// assert_eq!(id.to_string(), "00000000000000010000000000000002");
/// # Ok::<(), deespec::NotAStoreId>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StoreId(pub(crate) [u64; 2]);

/// The text is not the identity of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a store's identity has 32 hexadecimal digits")]
pub struct NotAStoreId;

impl StoreId {
    /// A new identity from the kernel's random numbers.
    pub(crate) fn random() -> std::io::Result<Self> {
        let mut bytes = [0; 16];
        let mut filled = 0;
        while filled < bytes.len() {
            filled += rustix::rand::getrandom(
                &mut bytes[filled..],
                rustix::rand::GetRandomFlags::empty(),
            )?;
        }
        Ok(Self::from_u128(u128::from_le_bytes(bytes)))
    }

    fn from_u128(id: u128) -> Self {
        Self([(id >> 64) as u64, id as u64])
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.0[0], self.0[1])
    }
}

impl std::str::FromStr for StoreId {
    type Err = NotAStoreId;

    fn from_str(text: &str) -> Result<Self, NotAStoreId> {
        // Stricter than the number's own grammar, which has signs and any length.
        let is_identity = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = is_identity.then(|| u128::from_str_radix(text, 16).ok());
        number.flatten().map(Self::from_u128).ok_or(NotAStoreId)
    }
}

impl From<StoreId> for String {
    fn from(id: StoreId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for StoreId {
    type Error = NotAStoreId;

    fn try_from(text: String) -> Result<Self, NotAStoreId> {
        text.parse()
    }
}

/// The identity of the running kernel's boot. Zeros where the kernel does not tell: then the
/// store is recovered at each opening, which is slower and does no harm.
pub(crate) fn boot_id() -> [u64; 2] {
    static BOOT: OnceLock<[u64; 2]> = OnceLock::new();
    if let Some(known) = BOOT.get() {
        return *known;
    }
    // Read before the cell is taken: a child that was forked meanwhile would wait for it for ever.
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let read = u128::from_str_radix(&digits, 16);
    let read = read.map_or([0, 0], |id| [(id >> 64) as u64, id as u64]);
    *BOOT.get_or_init(|| read)
}
