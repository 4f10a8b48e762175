//! `cargo xtask cross`: the tests on other machines, with the oldest compiler that the crate supports.
//!
//! Debian's release of 2023 has that compiler for many machines. Its packages are unpacked under `target/cross`,
//! where `rm -r` removes them; nothing is installed.

use std::error::Error;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use clap::ValueEnum;

use crate::debian::{self, Package};
use crate::packed;
use crate::steps::{self, Outcome};
use crate::suite::{self, Report};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run on these only; on all of them where none is named
    #[arg(value_enum)]
    machines: Vec<Name>,
    /// The crate as crates.io would hand it out, which also shows that this is whole
    #[arg(long)]
    packed: bool,
    /// What to pass on to `cargo test`
    #[arg(last = true)]
    test: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Name {
    /// This one, for the compiler's sake
    #[value(name = "x86-64")]
    X86,
    /// 32-bit; run by the kernel itself where it can, otherwise by qemu-user
    I386,
    /// 32-bit on Linux before 5.1, which has no calls with 64-bit times
    #[value(name = "i386-before-5.1")]
    I386Before51,
    /// 64-bit, by qemu-user
    Arm64,
    /// 64-bit and big-endian, by qemu-user
    S390x,
}

struct Machine {
    name: Name,
    /// As rustc and gcc call it, as std does, Debian and qemu.
    gnu: &'static str,
    std: &'static str,
    debian: &'static str,
    qemu: &'static str,
    /// What starts a program with shared libraries.
    loader: &'static str,
}

const MACHINES: [Machine; 5] = [
    Machine {
        name: Name::X86,
        gnu: "x86_64",
        std: "x86_64",
        debian: "amd64",
        qemu: "x86_64",
        loader: "ld-linux-x86-64.so.2",
    },
    I386,
    Machine { name: Name::I386Before51, ..I386 },
    Machine {
        name: Name::Arm64,
        gnu: "aarch64",
        std: "aarch64",
        debian: "arm64",
        qemu: "aarch64",
        loader: "ld-linux-aarch64.so.1",
    },
    Machine {
        name: Name::S390x,
        gnu: "s390x",
        std: "s390x",
        debian: "s390x",
        qemu: "s390x",
        loader: "ld64.so.1",
    },
];

const I386: Machine = Machine {
    name: Name::I386,
    gnu: "i686",
    std: "x86",
    debian: "i386",
    qemu: "i386",
    loader: "ld-linux.so.2",
};

/// Those that need a linker and libraries of their own.
const FOREIGN: [&Machine; 3] = [&MACHINES[1], &MACHINES[3], &MACHINES[4]];

/// What is tested without the calls that have 64-bit times, unless other tests are named: what waits. The rest of the program is the
/// one that has been through all tests on the same machine.
const WAITING: [&str; 14] = [
    "--lib",
    "--test=epoll",
    "--test=epoll_isolated",
    "--test=limits",
    "--test=machine",
    "--test=no_heap",
    "--test=poll",
    "--test=poll_set",
    "--test=reactor",
    "--test=readiness",
    "--test=select",
    "--test=signals",
    "--test=socket",
    "--test=timeouts",
];

/// How many cases a property is tried with where each instruction is emulated.
const EMULATED_CASES: &str = "64";

impl Machine {
    fn title(&self) -> String {
        let value = self.name.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn triple(&self) -> String {
        format!("{}-unknown-linux-gnu", self.gnu)
    }
}

pub(crate) fn run(arguments: &Arguments, root: &Path) -> Outcome {
    if !cfg!(target_arch = "x86_64") {
        return Err(
            "this needs an x86-64 machine: the packages of the compiler are that machine's".into(),
        );
    }
    let place = steps::folder(root, "cross")?;
    let packed = arguments.packed.then(|| packed::unpack(root)).transpose()?;
    let source = packed.as_ref().map_or(root, |folder| &folder.0);
    // Cargo remembers no folder: what it built of the one it would take for built of the other.
    let build = place.join(if arguments.packed { "build-packed" } else { "build" });
    let tools = Tools { place, build };
    println!("==> the compiler, linkers and emulators");
    debian::unpack(&packages(), &["i386", "arm64", "s390x"], &tools.debian())?;
    tools.write_wrappers()?;
    tools.check_version(root)?;

    let chosen = MACHINES.iter().filter(|machine| {
        arguments.machines.is_empty() || arguments.machines.contains(&machine.name)
    });
    let mut reports = Vec::new();
    for machine in chosen {
        println!("\n==> {}", machine.title());
        let way = match tools.way(machine)? {
            Ok(way) => way,
            Err(reason) => {
                reports.push((machine.title(), Report::not_run(&reason)));
                continue;
            }
        };
        for (part, tests) in parts(machine, &way, &arguments.test, root)? {
            let report = suite::watch(tools.test(machine, &way, &tests, source), &way.said)?;
            reports.push((machine.title() + part, report));
        }
    }
    suite::conclude(&reports)
}

/// Some 360 MB. What they depend on beyond each other (the C and C++ libraries, zlib, zstd, lzma) is on every Debian.
fn packages() -> Vec<Package> {
    let mut packages: Vec<Package> = [
        "rustc-web",
        "libstd-rust-web-1.85",
        "libstd-rust-web-dev",
        "libllvm19",
        "libz3-4",
        "libedit2",
        "libbsd0",
        "libmd0",
        "libtinfo6",
        "libffi8",
        "libxml2",
        "libicu72",
        "binutils-common",
        "libbinutils",
        "libjansson4",
    ]
    .into_iter()
    .map(Package::whole)
    .collect();
    for Machine { gnu, debian, .. } in FOREIGN {
        packages.extend(
            [
                format!("libstd-rust-web-dev:{debian}"),
                format!("gcc-12-{gnu}-linux-gnu"),
                format!("binutils-{gnu}-linux-gnu"),
                format!("libgcc-12-dev-{debian}-cross"),
                format!("libgcc-s1-{debian}-cross"),
                format!("libc6-dev-{debian}-cross"),
                format!("libc6-{debian}-cross"),
            ]
            .map(Package::whole),
        );
    }
    let emulators = FOREIGN.map(|machine| format!("usr/bin/qemu-{}-static", machine.qemu));
    packages.push(Package { name: "qemu-user-static".into(), only: emulators.into() });
    packages
}

/// How the tests of a machine are run.
struct Way {
    said: String,
    /// What starts a program of that machine; nothing where the kernel does.
    runner: Vec<PathBuf>,
    /// Whether child processes need it too.
    emulated: bool,
}

/// What one `cargo test` is asked for, and what its report is called behind the machine's name.
type Part = (&'static str, Vec<String>);

fn parts(
    machine: &Machine,
    way: &Way,
    asked: &[String],
    root: &Path,
) -> Result<Vec<Part>, Box<dyn Error>> {
    if !asked.is_empty() {
        return Ok(vec![("", asked.to_vec())]);
    }
    if machine.name == Name::I386Before51 {
        return Ok(vec![("", WAITING.map(str::to_owned).to_vec())]);
    }
    if !way.emulated {
        return Ok(vec![("", Vec::new())]);
    }
    println!("    left out, too slow under an emulator: {}", suite::EXAMPLES);
    // The tests of options ask what is passed on before they try it; their examples are for readers.
    println!(
        "    skipped: examples in the documentation of options: qemu-user passes on but a part of them"
    );
    let doc = ["--doc", "--", "--skip", "src/sockopt/"].map(str::to_owned).to_vec();
    Ok(vec![("", suite::without_examples(root)?), (", docs", doc)])
}

/// Where everything lies.
struct Tools {
    place: PathBuf,
    /// What cargo builds.
    build: PathBuf,
}

impl Tools {
    fn debian(&self) -> PathBuf {
        self.place.join("debian")
    }

    fn wrapper(&self, name: &str) -> PathBuf {
        self.place.join("bin").join(name)
    }

    fn libraries(&self, machine: &Machine) -> PathBuf {
        self.debian().join(format!("usr/{}-linux-gnu/lib", machine.gnu))
    }

    /// Small scripts, so that cargo needs to be told a path only.
    fn write_wrappers(&self) -> Outcome {
        let debian = self.debian();
        let quoted =
            |path: PathBuf| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
        let libraries = quoted(debian.join("usr/lib/x86_64-linux-gnu"));
        fs::create_dir_all(self.place.join("bin"))?;

        let start = format!("#!/bin/sh\nexport LD_LIBRARY_PATH={libraries}\n");
        let rustc = quoted(debian.join("usr/bin/rustc"));
        self.write("rustc", &format!("{start}exec {rustc} \"$@\"\n"))?;
        // In 1.85 the two options that start a doctest by an emulator had other names, and were for nightly; for
        // that one only it also made one program of all doctests.
        let rustdoc = quoted(debian.join("usr/bin/rustdoc"));
        let names = "for argument; do
  shift
  case $argument in
    --test-runtool) set -- \"$@\" -Zunstable-options --runtool;;
    --test-runtool-arg) set -- \"$@\" --runtool-arg;;
    *) set -- \"$@\" \"$argument\";;
  esac
done
";
        let nightly = "export RUSTC_BOOTSTRAP=1\n";
        self.write("rustdoc", &format!("{start}{nightly}{names}exec {rustdoc} \"$@\"\n"))?;
        for machine in FOREIGN {
            let gcc = quoted(debian.join(format!("usr/bin/{}-linux-gnu-gcc-12", machine.gnu)));
            let root = quoted(debian.clone());
            let libraries = self.libraries(machine);
            let loader = quoted(libraries.join(machine.loader));
            let libraries = quoted(libraries);
            // gold takes a third of the time of the other one, and there are many programs.
            let text = format!(
                "{start}exec {gcc} -fuse-ld=gold --sysroot={root} -Wl,-rpath,{libraries} -Wl,--dynamic-linker={loader} \"$@\"\n"
            );
            self.write(&format!("link-{}", machine.gnu), &text)?;
        }
        Ok(())
    }

    fn write(&self, name: &str, text: &str) -> Outcome {
        let path = self.wrapper(name);
        // Cargo remembers a compiler by its date: one that has not changed stays as it is.
        if fs::read_to_string(&path).is_ok_and(|there| there == text) {
            return Ok(());
        }
        fs::write(&path, text)?;
        Ok(fs::set_permissions(&path, PermissionsExt::from_mode(0o755))?)
    }

    /// The oldest compiler that the crate supports: Cargo.toml says which.
    fn check_version(&self, root: &Path) -> Outcome {
        let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
        let wanted = manifest
            .lines()
            .find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'))
            .ok_or("Cargo.toml has no rust-version")?;
        let output = Command::new(self.wrapper("rustc")).arg("--version").output()?;
        let version = String::from_utf8_lossy(&output.stdout);
        println!("    {}", version.trim());
        if version.starts_with(&format!("rustc {wanted}.")) {
            return Ok(());
        }
        let problem = String::from_utf8_lossy(&output.stderr);
        Err(format!(
            "Debian's compiler is `{}`, rust-version is {wanted} {problem}",
            version.trim()
        )
        .into())
    }

    /// How to run this machine's programs, or why they cannot be run here.
    fn way(&self, machine: &Machine) -> Result<Result<Way, String>, Box<dyn Error>> {
        let native = |said: &str, runner| Way { said: said.into(), runner, emulated: false };
        let emulator = self.debian().join(format!("usr/bin/qemu-{}-static", machine.qemu));
        let loader = self.libraries(machine).join(machine.loader);
        let runs = |command: &mut Command| {
            let output = command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
            output.status().is_ok_and(|status| status.success())
        };
        let by_qemu = || Way { said: "qemu-user".into(), runner: vec![emulator], emulated: true };
        Ok(match machine.name {
            Name::X86 => Ok(native("this machine", vec![])),
            Name::I386 if runs(&mut Command::new(&loader)) => Ok(native("this kernel", vec![])),
            Name::I386 | Name::Arm64 | Name::S390x => Ok(by_qemu()),
            Name::I386Before51 => {
                let runner = vec![env::current_exe()?, "before-5.1".into(), "--".into()];
                if runs(Command::new(&runner[0]).args(&runner[1..]).arg(&loader)) {
                    Ok(native("this kernel less calls", runner))
                } else {
                    Err("the calls of old can be tested only where the kernel runs 32-bit programs and has seccomp".into())
                }
            }
        })
    }

    fn test(&self, machine: &Machine, way: &Way, tests: &[String], source: &Path) -> Command {
        let triple = machine.triple();
        let mut command = steps::cargo();
        command.current_dir(source);
        command.args(["test", "--locked", "--no-fail-fast", "--package", "readysock"]);
        if machine.name != Name::X86 {
            let variable =
                format!("CARGO_TARGET_{}_LINKER", triple.replace('-', "_").to_uppercase());
            command.env(variable, self.wrapper(&format!("link-{}", machine.gnu)));
            command.args(["--target", &triple]);
        }
        if !way.runner.is_empty() {
            // Not by the environment: there the words of a runner are split at spaces, which paths may have.
            let words: Vec<String> = way.runner.iter().map(|word| format!("{word:?}")).collect();
            command.arg("--config").arg(format!("target.{triple}.runner=[{}]", words.join(",")));
        }
        if way.emulated {
            command.env("READYSOCK_RUNNER", &way.runner[0]).env("PROPTEST_CASES", EMULATED_CASES);
        }
        if machine.name == Name::I386Before51 {
            command.env("READYSOCK_BEFORE_5_1", "1");
        }
        command
            .args(tests)
            .env("RUSTC", self.wrapper("rustc"))
            .env("RUSTDOC", self.wrapper("rustdoc"))
            .env("CARGO_TARGET_DIR", &self.build)
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("READYSOCK_MACHINE", machine.std);
        command
    }
}
