//! Debian's packages, for any of its machines, unpacked into a folder: the system stays as it is.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, thread};

use crate::steps::{self, Outcome};

const RELEASE: &str = "bookworm";
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// Names the mirror where the machine's own apt has none.
const MIRROR: &str = "READYSOCK_DEBIAN";

pub(crate) struct Package {
    /// With `:MACHINE`, if it is for another one than amd64.
    pub(crate) name: String,
    /// The files wanted of it; all of them where none is named.
    pub(crate) only: Vec<String>,
}

impl Package {
    pub(crate) fn whole(name: impl Into<String>) -> Self {
        Self { name: name.into(), only: Vec::new() }
    }
}

/// Downloads the packages (not what they depend on) and unpacks them into `root`, unless they are there.
pub(crate) fn unpack(packages: &[Package], machines: &[&str], root: &Path) -> Outcome {
    let list: String =
        packages.iter().map(|one| format!("{} {:?}\n", one.name, one.only)).collect();
    let note = root.join("packages");
    if fs::read_to_string(&note).is_ok_and(|there| there == list) {
        println!("    {} has what is needed", root.display());
        return Ok(());
    }
    for program in ["apt-get", "dpkg-deb"] {
        if Command::new(program).arg("--version").stdout(Stdio::null()).status().is_err() {
            return Err(format!(
                "there is no {program}: this needs a system that has Debian's tools"
            )
            .into());
        }
    }
    if root.exists() {
        fs::remove_dir_all(root)?;
    }
    let apt = Apt::new(&root.with_extension("apt"), machines)?;
    let unfinished = root.with_extension("unfinished");
    clear(&unfinished)?;

    steps::run(apt.get("update").arg("--quiet"))?;
    let archives = apt.0.join("archives");
    let names = packages.iter().map(|one| &one.name);
    steps::run(apt.get("download").arg("--quiet").args(names).current_dir(&archives))?;

    println!("    unpacking {} packages", packages.len());
    let files: Vec<(PathBuf, &Package)> = packages
        .iter()
        .map(|one| Ok((archive(&archives, one)?, one)))
        .collect::<Result<_, Box<dyn Error>>>()?;
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let work = |first| {
        let mut share = files.iter().skip(first).step_by(workers);
        share.try_for_each(|(file, one)| unpack_one(file, &one.only, &unfinished))
    };
    thread::scope(|scope| {
        let started: Vec<_> = (0..workers).map(|first| scope.spawn(move || work(first))).collect();
        started.into_iter().try_for_each(|one| one.join().map_err(|_| "a worker panicked")?)
    })?;
    fs::write(unfinished.join("packages"), list)?;
    fs::remove_dir_all(&apt.0)?;
    fs::rename(unfinished, root)?;
    Ok(())
}

fn clear(folder: &Path) -> Outcome {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(fs::create_dir_all(folder)?)
}

/// apt-get with sources, lists and cache of its own, in a folder.
struct Apt(PathBuf);

impl Apt {
    fn new(folder: &Path, machines: &[&str]) -> Result<Self, Box<dyn Error>> {
        clear(folder)?;
        for inner in ["state/lists/partial", "cache", "archives", "sources", "preferences"] {
            fs::create_dir_all(folder.join(inner))?;
        }
        if !Path::new(KEYS).exists() {
            return Err(
                format!("{KEYS} is missing: install the package debian-archive-keyring").into()
            );
        }
        let source = format!(
            "deb [signed-by={KEYS} arch=amd64,{}] {} {RELEASE} main\n",
            machines.join(","),
            mirror()?,
        );
        fs::write(folder.join("sources/debian.list"), source)?;
        fs::write(folder.join("state/status"), "")?;
        Ok(Self(folder.to_owned()))
    }

    fn get(&self, command: &str) -> Command {
        let mut apt = Command::new("apt-get");
        apt.arg(command);
        for (name, value) in [
            ("Dir::Etc::SourceList", "/dev/null"),
            ("Dir::Etc::Preferences", "/dev/null"),
            ("APT::Architecture", "amd64"),
            ("APT::Architectures", ""),
            ("APT::Sandbox::User", ""),
            ("Acquire::Languages", "none"),
            ("Acquire::Retries", "3"),
        ] {
            apt.arg(format!("--option={name}={value}"));
        }
        for (name, inner) in [
            ("Dir::Etc::SourceParts", "sources"),
            ("Dir::Etc::PreferencesParts", "preferences"),
            ("Dir::State", "state"),
            ("Dir::State::Status", "state/status"),
            ("Dir::Cache", "cache"),
        ] {
            apt.arg(format!("--option={name}={}", self.0.join(inner).display()));
        }
        apt
    }
}

/// The mirror that this machine's apt goes to.
fn mirror() -> Result<String, Box<dyn Error>> {
    if let Ok(mirror) = env::var(MIRROR) {
        return Ok(mirror);
    }
    let targets = ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"];
    let output = Command::new("apt-get").args(targets).output()?;
    let found = String::from_utf8_lossy(&output.stdout);
    let debian = found.lines().find(|uri| uri.trim_end_matches('/').ends_with("/debian"));
    debian.map(str::to_owned).ok_or_else(|| {
        format!("apt-get knows no mirror of Debian here: name one as {MIRROR}=http://.../debian")
            .into()
    })
}

fn archive(folder: &Path, package: &Package) -> Result<PathBuf, Box<dyn Error>> {
    let (name, machine) = package.name.split_once(':').unwrap_or((&package.name, "amd64"));
    fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            let parts: Vec<&str> = file.trim_end_matches(".deb").split('_').collect();
            matches!(parts[..], [one, _, for_machine] if one == name && [machine, "all"].contains(&for_machine))
        })
        .ok_or_else(|| format!("apt-get has not downloaded {}", package.name).into())
}

fn unpack_one(file: &Path, only: &[String], root: &Path) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let mut data = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(file)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(&error))?;
    let tar = data.stdout.take().ok_or("no pipe")?;
    let unpacked = Command::new("tar")
        .args(["-x", "--exclude=./usr/share", "-C"])
        .arg(root)
        .args(only.iter().map(|path| format!("./{path}")))
        .stdin(tar)
        .status()
        .map_err(|error| failed(&error))?;
    let read = data.wait().map_err(|error| failed(&error))?;
    if unpacked.success() && read.success() { Ok(()) } else { Err(failed(&"cannot be unpacked")) }
}
