//! Two network namespaces with a cable between them, for tests that must cut it. In a process of its own: see `isolated`.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, setns, unshare};

use super::skipped;

/// The addresses of the two ends.
pub const NEAR: [u8; 4] = [10, 77, 0, 1];
pub const FAR: [u8; 4] = [10, 77, 0, 2];

/// This process is in the near one, unless it says otherwise; both end with it.
pub struct Cable {
    near: OwnedFd,
    far: OwnedFd,
}

impl Cable {
    /// None, and said, where this may not be done or the program `ip` is missing.
    pub fn lay() -> Option<Cable> {
        let version = Command::new("ip").arg("-V").stdout(Stdio::null()).status();
        if let Err(error) = version {
            skipped(&format!("namespaces: the program ip (package iproute2): {error}"));
            return None;
        }
        let mut made = Vec::new();
        for _ in 0..2 {
            if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
                skipped(&format!("namespaces: {error}"));
                return None;
            }
            made.push(OwnedFd::from(File::open("/proc/self/ns/net").expect("the namespace")));
            ip("link set lo up");
        }
        let (far, near) = (made.pop().expect("two"), made.pop().expect("two"));
        let place = format!("/proc/{}/fd/{}", std::process::id(), near.as_raw_fd());
        ip(&format!("link add vfar type veth peer name vnear netns {place}"));
        let cable = Cable { near, far };
        cable.far(|| end("vfar", FAR, "fd77::2"));
        enter(&cable.near);
        end("vnear", NEAR, "fd77::1");
        // The neighbours know each other for good: that one is silent must not look like one that has gone.
        let address = |link: &str| {
            // Not from /sys: that shows the namespace in which it was mounted.
            let output =
                Command::new("ip").args(["-o", "link", "show", link]).output().expect("ip");
            let text = String::from_utf8(output.stdout).expect("text");
            let mut words = text.split_whitespace().skip_while(|word| *word != "link/ether");
            words.nth(1).expect("an address").to_owned()
        };
        let [a, b, c, d] = FAR;
        let (near, far) = (address("vnear"), cable.far(|| address("vfar")));
        ip(&format!("neigh replace {a}.{b}.{c}.{d} lladdr {far} dev vnear nud permanent"));
        let [a, b, c, d] = NEAR;
        cable.far(|| {
            ip(&format!("neigh replace {a}.{b}.{c}.{d} lladdr {near} dev vfar nud permanent"))
        });
        Some(cable)
    }

    /// Does this at the far end.
    pub fn far<T>(&self, what: impl FnOnce() -> T) -> T {
        enter(&self.far);
        let result = what();
        enter(&self.near);
        result
    }

    /// The far end hears nothing from here on, and says nothing.
    pub fn cut(&self) {
        self.far(|| ip("link set vfar down"));
    }
}

fn enter(namespace: &OwnedFd) {
    setns(namespace, CloneFlags::CLONE_NEWNET).expect("a namespace that was made here");
}

fn end(link: &str, [a, b, c, d]: [u8; 4], six: &str) {
    ip(&format!("addr add {a}.{b}.{c}.{d}/24 dev {link}"));
    ip(&format!("link set {link} up"));
    // A machine may have IPv6 switched off.
    let _ = Command::new("ip")
        .args(["addr", "add", &format!("{six}/64"), "dev", link, "nodad"])
        .stderr(Stdio::null())
        .status();
}

/// Runs `ip` in the namespace that this process is in.
#[track_caller]
pub fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().expect("ip");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {said}");
}
