//! A folder of a run's own, for as long as the run lasts. It stands on nothing but std: xtask has it from this file, and builds nothing
//! else of this crate.

use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{env, fs, process};

/// Where the system keeps what is temporary, outside the workspace. Removed when it is dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    /// `readysock-NAME-PID`, or `readysock-NAME-PID.1` and so on where that is taken.
    ///
    /// Ctrl-C ends a program without a drop: what a run of the same name left behind goes now.
    pub fn new(name: &str) -> io::Result<Self> {
        Self::within(&env::temp_dir(), name)
    }

    fn within(place: &Path, name: &str) -> io::Result<Self> {
        let start = format!("readysock-{name}-");
        let own = format!("{start}{}", process::id());
        let mut path = place.join(&own);
        let mut taken = 0;
        while let Err(error) = fs::create_dir(&path) {
            if error.kind() != ErrorKind::AlreadyExists {
                return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display())));
            }
            taken += 1;
            path = place.join(format!("{own}.{taken}"));
        }
        let folder = Self(path);
        folder.sweep(place, &start);
        Ok(folder)
    }

    /// Removes the folders of this name whose process is gone. What cannot be removed is in nobody's way.
    fn sweep(&self, place: &Path, start: &str) {
        let Ok(own) = fs::metadata(&self.0) else { return };
        // Where /proc is not mounted, nobody seems to be alive.
        if !alive(process::id()) {
            return;
        }
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let left = name.to_str().and_then(|name| pid(name.strip_prefix(start)?));
            // Of the entry itself, where it is a link.
            let ours = || entry.metadata().is_ok_and(|it| it.is_dir() && it.uid() == own.uid());
            if left.is_some_and(|pid| !alive(pid)) && ours() {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// `PID` or `PID.COUNT`. What has more in it belongs to a longer name.
fn pid(rest: &str) -> Option<u32> {
    let (pid, count) = rest.split_once('.').unwrap_or((rest, "0"));
    count.parse::<u32>().ok()?;
    pid.parse().ok()
}

fn alive(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Linux gives no process a number above this one.
    const NOBODY: u32 = 1 << 22;

    #[test]
    fn no_name_is_taken_twice() {
        let place = Folder::new("folders").expect("a folder");
        let [one, two] = [(); 2].map(|()| Folder::within(&place.0, "x").expect("a folder"));
        assert_ne!(one.0, two.0);
        assert!(one.0.is_dir() && two.0.is_dir());
        let path = one.0.clone();
        drop(one);
        assert!(!path.exists() && two.0.is_dir());
        let none = Folder::within(&place.0.join("none"), "x").err().expect("no place").to_string();
        assert!(none.contains("none/readysock-x-"), "{none}");
    }

    #[test]
    fn what_a_dead_run_left_behind_goes_and_nothing_else() {
        let place = Folder::new("left").expect("a folder");
        let at = |name: String| place.0.join(name);
        let gone = [at(format!("readysock-x-{NOBODY}")), at(format!("readysock-x-{NOBODY}.2"))];
        let stays = [
            // Of one that is alive; of another name; of a longer one that seems to be of process 12.
            at(format!("readysock-x-{}", process::id())),
            at(format!("readysock-y-{NOBODY}")),
            at(format!("readysock-x-12-{NOBODY}")),
        ];
        for folder in gone.iter().chain(&stays) {
            fs::create_dir_all(folder.join("part")).expect("a folder");
            fs::write(folder.join("part/file"), "x").expect("a file");
        }
        let file = at(format!("readysock-x-{NOBODY}.3"));
        fs::write(&file, "x").expect("a file");
        let link = at(format!("readysock-x-{NOBODY}.4"));
        symlink(&stays[1], &link).expect("a link");

        let own = Folder::within(&place.0, "x").expect("a folder");
        assert!(own.0.is_dir());
        assert!(gone.iter().all(|folder| !folder.exists()));
        assert!(stays.iter().all(|folder| folder.join("part/file").exists()));
        assert!(file.exists() && link.is_symlink());
    }
}
