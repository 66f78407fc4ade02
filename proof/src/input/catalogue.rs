//! The bad files: which file, in which ways it is bad, and how each command has to end.
//!
//! The ends stand in the order of [`COMMANDS`], one letter each:
//!
//! - `.` done, as if nothing were wrong, and all counts are right;
//! - `w` done, and the report warns of it with its path;
//! - `x` refused with the path and a reason, and the file is as it was;
//! - `?` one of these: what the file was good for cannot be told, or decides nothing here.

use super::spoil::Badness::{self, *};

/// A file or folder that DeeSpec reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    FirstSegment,
    SecondSegment,
    Lock,
    Processes,
    Epochs,
    Imports,
    /// Left by an import that was killed.
    ImportIntent,
    /// Left by a restoration that was killed behind its closing.
    RestoreIntent,
    Metrics,
    Snapshot,
    Thresholds,
    Document,
    Text,
    Store,
    Live,
    Snapshots,
}

impl Target {
    /// Where it lies below the folder of a case.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::FirstSegment => ".deespec/var/live/segment-0000",
            Self::SecondSegment => ".deespec/var/live/segment-0001",
            Self::Lock => ".deespec/var/live/lock",
            Self::Processes => ".deespec/var/live/processes",
            Self::Epochs => ".deespec/var/live/epochs.jsonl",
            Self::Imports => ".deespec/var/live/imports.jsonl",
            Self::ImportIntent => ".deespec/var/live/import.json",
            Self::RestoreIntent => ".deespec/var/live/restore.json",
            Self::Metrics => ".deespec/var/metrics.json",
            Self::Snapshot => ".deespec/var/snapshots/metrics_20261123_070809_123456789.json",
            Self::Thresholds => ".deespec/thresholds.json",
            Self::Document => "input.json",
            Self::Text => "scrape.txt",
            Self::Store => ".deespec/var",
            Self::Live => ".deespec/var/live",
            Self::Snapshots => ".deespec/var/snapshots",
        }
    }

    /// Whether it tells of work that is under way.
    pub(crate) fn is_intent(self) -> bool {
        matches!(self, Self::ImportIntent | Self::RestoreIntent)
    }

    /// Whether it holds files, which commands change.
    pub(crate) fn is_folder(self) -> bool {
        matches!(self, Self::Store | Self::Live | Self::Snapshots)
    }

    /// Whether a command may write it; what others own is never written.
    pub(crate) fn is_ours(self) -> bool {
        !matches!(
            self,
            Self::Snapshot | Self::Thresholds | Self::Document | Self::Text
        )
    }
}

/// A command of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Inc,
    Show,
    Doctor,
    Sync,
    Snapshot,
    Rotate,
    Restore,
    Import,
    Compact,
    Gate,
}

pub(crate) const COMMANDS: [Command; 10] = [
    Command::Inc,
    Command::Show,
    Command::Doctor,
    Command::Sync,
    Command::Snapshot,
    Command::Rotate,
    Command::Restore,
    Command::Import,
    Command::Compact,
    Command::Gate,
];

/// One line of the catalogue.
pub(crate) struct Line {
    pub(crate) target: Target,
    pub(crate) badness: &'static [Badness],
    pub(crate) ends: &'static str,
}

const fn line(target: Target, ends: &'static str, badness: &'static [Badness]) -> Line {
    Line {
        target,
        badness,
        ends,
    }
}

const ALL_REFUSED: &str = "xxxxxxxxxx";
const ALL_DONE: &str = "..........";
const ANY: &str = "??????????";

/// What no file of a store may be.
const KINDS: &[Badness] = &[
    Link,
    DanglingLink,
    LinkLoop,
    Fifo,
    Folder,
    Socket,
    Device,
    HardLink,
];
const RIGHTS: &[Badness] = &[OtherOwner, WorldWritable];

// The commands:      i s d s s r r i c g
//                    n h o y n o e m o a
//                    c o c n a t s p m t
#[rustfmt::skip]
pub(crate) const CATALOGUE: &[Line] = &[
    line(Target::FirstSegment, ALL_REFUSED, KINDS),
    line(Target::FirstSegment, ALL_REFUSED, RIGHTS),
    line(Target::FirstSegment, ALL_REFUSED, &[Unreadable, ReadOnly]),
    line(Target::FirstSegment, ALL_REFUSED, &[
        Absent, Empty, OneByte, Half, OneByteMore, Sparse8Tib, Sparse200Mib, Garbage, Zeros, Ones, Newer,
        ForeignByteOrder, WrongChecksum,
    ]),
    // One series is missing; a rotation must not go on without it, a copy is made of what there is.
    line(Target::FirstSegment, ".ww?.??.xw", &[OverlappingEntries, EntryBehindTheEnd]),
    line(Target::FirstSegment, ALL_DONE, &[CyclicIndex]),

    line(Target::SecondSegment, "..w..xx.xw", KINDS),
    line(Target::SecondSegment, "..w..xx.xw", &[
        Absent, Empty, OneByte, Half, OneByteMore, Sparse8Tib, Sparse200Mib, Garbage, Zeros, Ones, Newer,
        ForeignByteOrder, WrongChecksum, OtherStores,
    ]),
    line(Target::SecondSegment, ANY, RIGHTS),
    line(Target::SecondSegment, ANY, &[Unreadable, ReadOnly]),
    line(Target::SecondSegment, "..w??????w", &[OverlappingEntries, EntryBehindTheEnd]),
    line(Target::SecondSegment, ALL_DONE, &[CyclicIndex]),

    // Counting what is there needs no lock; everything that shows or writes does.
    line(Target::Lock, ".xxxxxxxxx", KINDS),
    line(Target::Lock, ".xxxxxxxxx", RIGHTS),
    line(Target::Lock, ".xxxxxxxxx", &[Unreadable]),
    line(Target::Lock, ".?????????", &[ReadOnly]),
    line(Target::Lock, ALL_DONE, &[Absent, OneByte, Sparse8Tib, Sparse200Mib, Garbage, Ones]),

    // Nobody has a share in a gauge here, so nobody is asked about.
    line(Target::Processes, ".?????????", KINDS),
    line(Target::Processes, ".?????????", RIGHTS),
    line(Target::Processes, ".?????????", &[Unreadable, ReadOnly]),
    line(Target::Processes, ALL_DONE, &[Absent, OneByte, Sparse8Tib, Sparse200Mib, Garbage, Ones]),

    line(Target::Epochs, ".....xx.?.", &[Link, LinkLoop, Fifo, Folder, Socket, Device, HardLink]),
    line(Target::Epochs, ".....xx.?.", &[DanglingLink]),
    line(Target::Epochs, ".....xx.?.", RIGHTS),
    line(Target::Epochs, ".....xx.?.", &[Unreadable, ReadOnly]),
    line(Target::Epochs, ".....??.?.", &[Sparse8Tib, Sparse200Mib]),
    line(Target::Epochs, ALL_DONE, &[
        Absent, Empty, OneByte, Half, OneByteMore, Garbage, Zeros, Ones, InvalidUtf8, ByteOrderMark,
        TrailingGarbage, NoNewline, CrLf, OtherStores, Older, DeepJson, HugeNumbers,
    ]),

    // The record is asked where something is imported, or metrics.json is not ours.
    line(Target::Imports, ".......x?.", &[Link, LinkLoop, Fifo, Folder, Socket, Device, HardLink]),
    line(Target::Imports, ".......x?.", &[DanglingLink]),
    line(Target::Imports, ".......x?.", RIGHTS),
    line(Target::Imports, ".......x?.", &[Unreadable, ReadOnly]),
    line(Target::Imports, ".......x?.", &[Sparse8Tib]),
    line(Target::Imports, ".......??.", &[Sparse200Mib]),
    line(Target::Imports, ALL_DONE, &[
        Absent, Empty, OneByte, Half, OneByteMore, Garbage, Zeros, Ones, InvalidUtf8, ByteOrderMark,
        TrailingGarbage, NoNewline, CrLf, OtherStores, Older, DeepJson, HugeNumbers,
    ]),

    // An import must be completed before anything is published.
    line(Target::ImportIntent, "..wxxxxx?w", &[Link, DanglingLink, LinkLoop, Fifo, Folder, Socket, Device]),
    line(Target::ImportIntent, "..?????x??", &[HardLink]),
    line(Target::ImportIntent, "..?????x??", RIGHTS),
    line(Target::ImportIntent, "..wxxxxx?w", &[Unreadable]),
    line(Target::ImportIntent, "..wxxxxx?w", &[
        Empty, OneByte, Half, OneByteMore, Sparse8Tib, Garbage, Zeros, Ones, WrongTypes, InvalidUtf8,
        TrailingGarbage, DeepJson, DuplicateKeys,
    ]),
    line(Target::ImportIntent, "..????????", &[Sparse200Mib]),
    line(Target::ImportIntent, "..........", &[NoNewline, CrLf]),

    // Its epoch is closed, so it is forgotten, whatever it holds.
    line(Target::RestoreIntent, "..????????", &[Link, DanglingLink, LinkLoop, Fifo, Socket, Device, HardLink]),
    line(Target::RestoreIntent, "..????????", &[Folder, OtherOwner, WorldWritable, Unreadable]),
    line(Target::RestoreIntent, ALL_DONE, &[
        Empty, OneByte, Half, Sparse8Tib, Sparse200Mib, Garbage, Zeros, Ones, DeepJson, Newer,
    ]),

    // It is foreign then: everything goes on, and nothing replaces it.
    line(Target::Metrics, "..wx....?w", &[Link, DanglingLink, LinkLoop, Fifo, Folder, Socket, Device]),
    line(Target::Metrics, "..????????", &[HardLink]),
    line(Target::Metrics, "..????????", RIGHTS),
    line(Target::Metrics, "..?x????.?", &[Unreadable]),
    line(Target::Metrics, ALL_DONE, &[ReadOnly]),
    line(Target::Metrics, "..wx....?w", &[
        Empty, OneByte, Half, OneByteMore, Sparse8Tib, Garbage, Zeros, Ones, Newer, WrongChecksum, DeepJson,
        HugeNumbers, NegativeNumbers, WrongTypes, DuplicateKeys, InvalidUtf8, ByteOrderMark,
        TrailingGarbage, NoNewline, CrLf, OtherStores,
    ]),
    line(Target::Metrics, "..?x????.?", &[Sparse200Mib]),
    line(Target::Metrics, ALL_DONE, &[Absent, Older]),

    // Whoever names a file may name a link.
    line(Target::Snapshot, ALL_DONE, &[Link]),
    line(Target::Snapshot, "......x...", &[DanglingLink, LinkLoop, Fifo, Folder, Socket, Device]),
    line(Target::Snapshot, "......?...", &[HardLink]),
    line(Target::Snapshot, "......?...", RIGHTS),
    line(Target::Snapshot, "......x...", &[Unreadable]),
    line(Target::Snapshot, "......x...", &[
        Absent, Empty, OneByte, Half, OneByteMore, Sparse8Tib, Sparse200Mib, Garbage, Zeros, Ones, Newer,
        WrongChecksum, DeepJson, HugeNumbers, NegativeNumbers, WrongTypes, DuplicateKeys, InvalidUtf8,
        TrailingGarbage, NoNewline, CrLf, OtherStores,
    ]),
    line(Target::Snapshot, ALL_DONE, &[ReadOnly, Older, ByteOrderMark]),

    // A configuration may lie elsewhere, behind a link.
    line(Target::Thresholds, ALL_DONE, &[Link, HardLink, Absent, ReadOnly, ByteOrderMark, NoNewline, CrLf]),
    line(Target::Thresholds, ".........?", RIGHTS),
    line(Target::Thresholds, ".........x", &[
        DanglingLink, LinkLoop, Fifo, Folder, Socket, Device, Unreadable, Empty, OneByte, Half,
        OneByteMore, Sparse8Tib, Sparse200Mib, Garbage, Zeros, Ones, DeepJson, HugeNumbers,
        NegativeNumbers, WrongTypes, DuplicateKeys, InvalidUtf8, TrailingGarbage,
    ]),

    line(Target::Document, ".......?..", &[HardLink]),
    line(Target::Document, ".......?..", RIGHTS),
    line(Target::Document, ALL_DONE, &[Link]),
    line(Target::Document, ".......x..", &[DanglingLink, LinkLoop, Fifo, Folder, Socket, Device, Unreadable]),
    line(Target::Document, ".......x..", &[
        Absent, Empty, OneByte, Half, OneByteMore, Sparse8Tib, Sparse200Mib, Garbage, Zeros, Ones, Newer,
        DeepJson, HugeNumbers, NegativeNumbers, WrongTypes, DuplicateKeys, InvalidUtf8,
        TrailingGarbage,
    ]),
    line(Target::Document, ALL_DONE, &[ReadOnly, ByteOrderMark, NoNewline, CrLf, OtherStores]),

    line(Target::Text, ".......?..", &[HardLink]),
    line(Target::Text, ".......?..", RIGHTS),
    line(Target::Text, ALL_DONE, &[Link]),
    line(Target::Text, ".......x..", &[DanglingLink, LinkLoop, Fifo, Folder, Socket, Device, Unreadable]),
    line(Target::Text, ".......x..", &[
        Absent, Empty, OneByte, Half, OneByteMore, Sparse8Tib, Sparse200Mib, Garbage, Zeros, Ones,
        DuplicateKeys, InvalidUtf8, TrailingGarbage, NoNewline, CrLf, DeepJson, WrongTypes,
    ]),
    line(Target::Text, ALL_DONE, &[ReadOnly]),

    line(Target::Store, ALL_REFUSED, &[DanglingLink, LinkLoop, Fifo, RegularFile, Socket, Device, Unreadable]),
    line(Target::Store, ANY, &[Link, ReadOnly]),
    line(Target::Store, ALL_REFUSED, RIGHTS),
    line(Target::Live, ALL_REFUSED, &[DanglingLink, LinkLoop, Fifo, RegularFile, Socket, Device, Unreadable]),
    line(Target::Live, ANY, &[Link, ReadOnly]),
    line(Target::Live, ALL_REFUSED, RIGHTS),
    line(Target::Snapshots, "....xxx...", &[DanglingLink, LinkLoop, Fifo, RegularFile, Socket, Device, Unreadable]),
    line(Target::Snapshots, "..????????", &[Link, ReadOnly, OtherOwner, WorldWritable]),
];
