//! The content of a disk, block by block. Blocks of zeros take no memory, and copies share what they
//! have in common: ten thousand states of one disk differ in a few blocks only.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use crate::Result;

const BLOCK: usize = 4096;

#[derive(Clone)]
pub(crate) struct Image {
    blocks: Vec<Option<Arc<[u8; BLOCK]>>>,
}

impl Image {
    /// Reads a file, whose length is a multiple of the block's.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        let mut image = Self {
            blocks: vec![None; usize::try_from(bytes)? / BLOCK],
        };
        let mut at = 0;
        loop {
            let begin = match seek(&file, SeekFrom::Data(at)) {
                Ok(begin) => begin,
                // There is no data behind this.
                Err(Errno::NXIO) => return Ok(image),
                Err(error) => return Err(error.into()),
            };
            at = seek(&file, SeekFrom::Hole(begin))?;
            let mut data = vec![0; usize::try_from(at - begin)?];
            file.read_exact_at(&mut data, begin)?;
            image.write(begin, &data);
        }
    }

    /// Writes a file with holes where there are zeros.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let file = File::create(path)?;
        file.set_len(self.len())?;
        for (block, at) in self.blocks.iter().zip((0..).step_by(BLOCK)) {
            if let Some(block) = block {
                file.write_all_at(&block[..], at)?;
            }
        }
        Ok(())
    }

    pub(crate) fn len(&self) -> u64 {
        (self.blocks.len() * BLOCK) as u64
    }

    /// What is behind the end of the disk is left out.
    pub(crate) fn write(&mut self, offset: u64, mut bytes: &[u8]) {
        let (mut index, mut within) = place(offset);
        while let Some(block) = self.blocks.get_mut(index)
            && !bytes.is_empty()
        {
            let (now, rest) = bytes.split_at(bytes.len().min(BLOCK - within));
            if block.is_some() || now.iter().any(|byte| *byte != 0) {
                let block = block.get_or_insert_with(|| Arc::new([0; BLOCK]));
                Arc::make_mut(block)[within..within + now.len()].copy_from_slice(now);
            }
            (index, within, bytes) = (index + 1, 0, rest);
        }
    }

    pub(crate) fn read(&self, offset: u64, bytes: &mut [u8]) {
        let (mut index, mut within) = place(offset);
        let mut rest = bytes;
        while !rest.is_empty() {
            let (now, after) = rest.split_at_mut(rest.len().min(BLOCK - within));
            match self.blocks.get(index) {
                Some(Some(block)) => now.copy_from_slice(&block[within..within + now.len()]),
                _ => now.fill(0),
            }
            (index, within, rest) = (index + 1, 0, after);
        }
    }
}

fn place(offset: u64) -> (usize, usize) {
    let block = usize::try_from(offset / BLOCK as u64).unwrap_or(usize::MAX);
    (block, (offset % BLOCK as u64) as usize)
}
