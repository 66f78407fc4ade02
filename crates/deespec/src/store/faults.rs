//! The seam for proofs: a hook that is asked before every operation on the disk and may refuse it.
//! A test that kills its own process in the hook shows what a crash at that step leaves behind.

use std::io;
use std::path::Path;

/// One kind of operation on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Create a file or a folder.
    Create,
    /// Reserve the blocks of a file.
    Allocate,
    /// Write the bytes of a file.
    Write,
    /// Append a line to a file.
    Append,
    /// Make a file durable.
    SyncFile,
    /// Make the entries of a folder durable.
    SyncDirectory,
    /// Make the mapped cells durable.
    SyncCells,
    /// Move a file to its final name.
    Rename,
    /// Remove a file.
    Remove,
}

/// Is asked before each operation on the disk; for tests and proofs only.
pub trait FaultInjector: Send + Sync {
    /// Lets the operation happen, or makes it fail with the error that is returned.
    ///
    /// # Errors
    ///
    /// Whatever error the operation is to fail with.
    fn before(&self, operation: Operation, path: &Path) -> io::Result<()>;
}
