//! Files and folders: whole or not at all.
//!
//! What a command puts somewhere is made beside its destination and renamed, so that an interrupted run, a full disk or
//! a host that has the old plug-in mapped never sees half a file.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

/// Holds a lock file for as long as it lives: one process at a time fills a folder of the cache.
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Waits until no other process holds the lock for `folder`; the lock file lies beside the folder.
    pub fn beside(folder: &Path) -> Result<Self> {
        let path = suffixed(folder, ".lock");
        create_folder(parent(&path)?)?;
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(Self { _file: file })
    }
}

/// `path` with `suffix` added to its last part.
pub fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(suffix);
    text.into()
}

/// The folder that holds `path`.
pub fn parent(path: &Path) -> Result<&Path> {
    path.parent().with_context(|| format!("{} has no parent folder", path.display()))
}

/// Makes a folder and those above it.
pub fn create_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))
}

/// Removes a file or a whole folder; nothing there is fine.
pub fn remove(path: &Path) -> Result<()> {
    let removed = match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => Err(error),
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.with_context(|| format!("cannot remove {}", path.display()))
}

/// Puts `made` (a finished file or folder) at `place`, replacing what is there; both lie on one file system.
///
/// A file is replaced in one step. A folder that is in the way moves aside first and comes back if the exchange fails.
pub fn put(made: &Path, place: &Path) -> Result<()> {
    create_folder(parent(place)?)?;
    let aside = suffixed(place, ".old");
    let moves_aside = place.is_dir();
    if moves_aside {
        remove(&aside)?;
        rename(place, &aside)?;
    }
    if let Err(error) = rename(made, place) {
        if moves_aside {
            rename(&aside, place)?;
        }
        return Err(error);
    }
    remove(&aside)
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("cannot move {} to {}", from.display(), to.display()))
}

/// Copies one file to `to` under a temporary name and renames it; folders above are made.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    create_folder(parent(to)?)?;
    let partial = suffixed(to, ".partial");
    let copied = fs::copy(from, &partial).and_then(|_| fs::rename(&partial, to));
    if let Err(error) = copied {
        let _ = fs::remove_file(&partial);
        return Err(error).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()));
    }
    Ok(())
}

/// Makes `to` a second name of `there`, under a temporary name that is renamed: the same bytes once on disk. Where the
/// file system has no such links, or the two places lie on different ones, it is a copy.
pub fn link_or_copy(there: &Path, to: &Path) -> Result<()> {
    create_folder(parent(to)?)?;
    let partial = suffixed(to, ".partial");
    remove(&partial)?;
    if fs::hard_link(there, &partial).is_err() {
        return copy(there, to);
    }
    rename(&partial, to)
}

/// Makes `to` a symbolic link to `target`, under a temporary name that is renamed. Unix alone has them without asking.
pub fn symbolic_link(target: &Path, to: &Path) -> Result<()> {
    create_folder(parent(to)?)?;
    let partial = suffixed(to, ".partial");
    remove(&partial)?;
    #[cfg(unix)]
    let linked = std::os::unix::fs::symlink(target, &partial);
    #[cfg(not(unix))]
    let linked = Err(io::Error::from(ErrorKind::Unsupported));
    linked.with_context(|| format!("cannot link {} to {}", to.display(), target.display()))?;
    rename(&partial, to)
}

/// Fails before the work when its result could not be written to `path` after it, or would replace what is no file.
pub fn check_target(path: &Path) -> Result<()> {
    match fs::metadata(path) {
        Ok(there) if there.is_file() => Ok(()),
        Ok(_) => bail!("{} cannot be written: it is no ordinary file", path.display()),
        Err(_) => create_folder(parent(path)?),
    }
}

/// Writes `text` to `path` under a temporary name and renames it. Where `path` is a link, its target is written.
pub fn write(path: &Path, text: &str) -> Result<()> {
    create_folder(parent(path)?)?;
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let partial = suffixed(&real, ".partial");
    let written = fs::write(&partial, text).and_then(|()| fs::rename(&partial, &real));
    if let Err(error) = written {
        let _ = fs::remove_file(&partial);
        return Err(error).with_context(|| format!("cannot write {}", path.display()));
    }
    Ok(())
}

/// Every file below `folder`, as sorted paths relative to it. Links are refused: what ships is plain files.
pub fn below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(inside) = open.pop() {
        let here = folder.join(&inside);
        let entries =
            fs::read_dir(&here).with_context(|| format!("cannot read the folder {}", here.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot read the folder {}", here.display()))?;
            let kind =
                entry.file_type().with_context(|| format!("cannot look at {}", entry.path().display()))?;
            let path = inside.join(entry.file_name());
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file() {
                found.push(path);
            } else {
                bail!("{} is neither a file nor a folder", entry.path().display());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The SHA-256 of a file, in hexadecimal.
pub fn sha256(path: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    io::copy(&mut file, &mut hasher).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(hexadecimal(&hasher.finalize()))
}

/// The SHA-256 of bytes in memory, in hexadecimal.
pub fn sha256_of(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Bytes as lower-case hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A folder of a test's own, removed at its end.
#[cfg(test)]
pub struct Scratch(pub PathBuf);

#[cfg(test)]
impl Scratch {
    /// An empty folder that no other test uses.
    pub fn new() -> Self {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("tributary-xtask-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

#[cfg(test)]
impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_takes_the_place_of_another_without_leftovers() {
        let scratch = Scratch::new();
        let (made, place) = (scratch.0.join("made"), scratch.0.join("deep/place"));
        write(&place.join("old"), "old").unwrap();
        write(&made.join("new"), "new").unwrap();
        put(&made, &place).unwrap();
        assert_eq!(below(&scratch.0).unwrap(), [Path::new("deep/place/new")]);
    }

    #[test]
    fn what_is_there_survives_a_failed_exchange() {
        let scratch = Scratch::new();
        let place = scratch.0.join("place");
        write(&place.join("old"), "old").unwrap();
        assert!(put(&scratch.0.join("was never made"), &place).is_err());
        assert_eq!(below(&scratch.0).unwrap(), [Path::new("place/old")]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_a_device_is_no_target() {
        let scratch = Scratch::new();
        let (link, target) = (scratch.0.join("link"), scratch.0.join("target"));
        write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        check_target(&link).unwrap();
        write(&link, "new").unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert!(check_target(Path::new("/dev/null")).is_err() && check_target(&scratch.0).is_err());
    }

    #[test]
    fn a_failed_copy_leaves_nothing() {
        let scratch = Scratch::new();
        assert!(copy(&scratch.0.join("missing"), &scratch.0.join("to")).is_err());
        assert!(below(&scratch.0).unwrap().is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_second_name_takes_no_room_and_what_replaces_one_leaves_the_other() {
        use std::os::unix::fs::MetadataExt;
        let scratch = Scratch::new();
        let [from, one, two] = ["from", "one", "deep/two"].map(|name| scratch.0.join(name));
        write(&from, "old").unwrap();
        copy(&from, &one).unwrap();
        link_or_copy(&one, &two).unwrap();
        assert_eq!(one.metadata().unwrap().ino(), two.metadata().unwrap().ino());
        write(&from, "new").unwrap();
        copy(&from, &one).unwrap();
        assert_eq!(fs::read_to_string(&two).unwrap(), "old", "a copy replaces the name, not the bytes");
        link_or_copy(&one, &two).unwrap();
        assert_eq!(fs::read_to_string(&two).unwrap(), "new");
    }

    #[test]
    fn removing_nothing_is_fine() {
        let scratch = Scratch::new();
        remove(&scratch.0.join("missing")).unwrap();
    }

    #[test]
    fn the_digest_is_sha256() {
        let scratch = Scratch::new();
        let path = scratch.0.join("abc");
        write(&path, "abc").unwrap();
        // FIPS 180-2, appendix B.1: the digest of "abc".
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&path).unwrap(), expected);
    }

    #[test]
    fn a_lock_keeps_others_out_until_it_is_dropped() {
        let scratch = Scratch::new();
        let folder = scratch.0.join("folder");
        let lock = Lock::beside(&folder).unwrap();
        let other = File::create(suffixed(&folder, ".lock")).unwrap();
        assert!(other.try_lock().is_err());
        drop(lock);
        other.try_lock().unwrap();
    }
}
