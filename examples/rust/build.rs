// SPDX-License-Identifier: MIT
//! Asks pkg-config where libmlstm is.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    println!("cargo:rustc-link-lib=mlstm");
    let answer = Command::new("pkg-config")
        .args(["--variable=libdir", "mlstm"])
        .output()
        .expect("pkg-config cannot be run");
    let folder = String::from_utf8_lossy(&answer.stdout);
    assert!(
        answer.status.success(),
        "pkg-config does not know mlstm: {}",
        String::from_utf8_lossy(&answer.stderr)
    );
    println!("cargo:rustc-link-search=native={}", folder.trim());
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.trim());
}
