//! The application as the deployment package lays it out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Puts `host.json`, the function folders and the binary side by side into `root`, which is emptied first: the host looks
/// for `function.json` in the direct sub-folders of the application's root only.
///
/// # Panics
/// When a file is missing or cannot be copied.
pub fn lay_out(repository: &Path, handler: &Path, root: &Path) {
    let _ = std::fs::remove_dir_all(root);
    std::fs::create_dir_all(root).expect("the application's root");
    let copy = |from: &Path, to: &Path| {
        std::fs::copy(from, to).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
    };
    copy(&repository.join("host.json"), &root.join("host.json"));
    std::os::unix::fs::symlink(handler, root.join("handler")).expect("a link to the binary");
    for folder in files_of(&repository.join("function-definitions")) {
        let target = root.join(folder.file_name().expect("a function's name"));
        std::fs::create_dir(&target).expect("a function's folder");
        for file in files_of(&folder) {
            copy(
                &file,
                &target.join(file.file_name().expect("a file's name")),
            );
        }
    }
}

/// Makes the deployment package of the source tree at `source` with the project's own packer.
///
/// # Panics
/// When the packer fails.
pub fn pack(source: &Path, handler: &Path, folder: &Path, zip: &Path) {
    python(
        &source.join("infra/package/pack.py"),
        &[handler, folder, zip],
    );
}

/// Unpacks a deployment package with each file's mode.
///
/// # Panics
/// When it cannot be unpacked.
pub fn unpack(repository: &Path, zip: &Path, root: &Path) {
    let _ = std::fs::remove_dir_all(root);
    std::fs::create_dir_all(root).expect("the application's root");
    python(&repository.join("infra/package/unpack.py"), &[zip, root]);
}

fn python(script: &Path, arguments: &[&Path]) {
    let output = std::process::Command::new("python3")
        .arg("-B") // no compiled files beside the sources
        .arg(script)
        .args(arguments)
        .output()
        .expect("python3 is installed");
    assert!(
        output.status.success(),
        "{}: {}",
        script.display(),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

/// Relative path and mode of every file below `root`.
///
/// # Panics
/// When one cannot be read.
pub fn files_below(root: &Path) -> BTreeMap<PathBuf, u32> {
    use std::os::unix::fs::PermissionsExt as _;

    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a file") {
            let path = entry.expect("a file").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let mode = std::fs::metadata(&path)
                    .expect("a file")
                    .permissions()
                    .mode()
                    & 0o777;
                found.insert(path.strip_prefix(root).expect("a file").to_path_buf(), mode);
            }
        }
    }
    found
}
