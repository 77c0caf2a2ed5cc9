//! Reads the files of a bundle, none longer than it may be and none with another checksum than it should have.

use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::contract::FileReference;
use crate::error::BundleError;
use crate::regular_file;

/// Reads exactly `count` little-endian f32 samples.
pub(crate) fn read_samples(path: &Path, count: usize) -> Result<Vec<f32>, BundleError> {
    let bytes = read_limited(path, 4 * count as u64)?;
    if bytes.len() != 4 * count {
        let reason = format!("it holds {} bytes, expected {}", bytes.len(), 4 * count);
        return Err(BundleError::Unreadable { path: path.to_path_buf(), reason: reason.into() });
    }
    Ok(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
}

/// Reads a whole file of at most `limit_bytes`. The limit holds for what is read, not for what the file system claims.
pub(crate) fn read_limited(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, BundleError> {
    let unreadable =
        |e: std::io::Error| BundleError::Unreadable { path: path.to_path_buf(), reason: e.into() };
    let file = regular_file::open(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => BundleError::Missing { path: path.to_path_buf() },
        _ => unreadable(e),
    })?;
    let metadata = file.metadata().map_err(unreadable)?;
    let too_large =
        |actual_bytes| BundleError::TooLarge { path: path.to_path_buf(), actual_bytes, limit_bytes };
    if metadata.len() > limit_bytes {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    file.take(limit_bytes + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > limit_bytes {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(bytes)
}

/// Reads a whole file that the contract names, of at most `limit_bytes`.
pub(crate) fn read_checked(
    folder: &Path,
    reference: &FileReference,
    limit_bytes: u64,
) -> Result<Vec<u8>, BundleError> {
    let path = folder.join(&reference.file);
    let bytes = read_limited(&path, limit_bytes)?;
    if sha256_hex(&bytes) != reference.sha256 {
        return Err(BundleError::Checksum { path });
    }
    Ok(bytes)
}

/// Lower-case hexadecimal SHA-256.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
