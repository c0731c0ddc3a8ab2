//! The deployment package: the same bytes from the same input, and it runs under the host as it is unpacked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use egress_tests::host::{Call, start};
use egress_tests::package;

use super::{app_root, repository};

#[tokio::test]
async fn the_package_unpacked_runs_under_the_host_with_an_empty_environment() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("package");
    std::fs::create_dir_all(&folder).unwrap();
    let (zip, root) = (folder.join("app.zip"), folder.join("app"));
    // Stripped as a release is: the symbols of a debug build would take the most time.
    let handler = folder.join("handler");
    let stripped = std::process::Command::new("strip")
        .arg("-o")
        .args([&handler, Path::new(env!("CARGO_BIN_EXE_handler"))])
        .status();
    assert!(stripped.unwrap().success());
    package::pack(repository(), &handler, &folder.join("staged"), &zip);
    package::unpack(repository(), &zip, &root);

    let unpacked = package::files_below(&root);
    let names = |files: BTreeMap<PathBuf, u32>| files.into_keys().collect::<BTreeSet<_>>();
    assert_eq!(
        names(unpacked.clone()),
        names(package::files_below(&app_root("packed")))
    );
    assert_eq!(unpacked, package::files_below(&folder.join("staged")));
    for (path, mode) in unpacked {
        let expected = if path == Path::new("handler") {
            0o755
        } else {
            0o644
        };
        assert_eq!(mode, expected, "{}", path.display());
    }
    let host = start(&root).await;
    let answer = host.call(Call::get("/api/health")).await;
    assert_eq!(answer.status, 200);
}

#[test]
fn the_same_input_gives_the_same_package_whatever_its_times_modes_and_place() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("same-package");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let handler = folder.join("handler");
    std::fs::write(&handler, "a binary").unwrap();
    let packed = |source: &Path, name: &str| {
        let zip = folder.join(name).with_extension("zip");
        package::pack(source, &handler, &folder.join(name), &zip);
        std::fs::read(zip).unwrap()
    };
    let here = packed(repository(), "here");

    // The same tree elsewhere: written now, in the opposite order, readable by its owner only.
    let elsewhere = folder.join("elsewhere");
    let definitions = package::files_below(&repository().join("function-definitions"))
        .into_keys()
        .rev()
        .map(|path| Path::new("function-definitions").join(path));
    for path in definitions.chain(["host.json", "infra/package/pack.py"].map(PathBuf::from)) {
        let copy = elsewhere.join(&path);
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::copy(repository().join(&path), &copy).unwrap();
        std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    std::fs::set_permissions(&handler, std::fs::Permissions::from_mode(0o700)).unwrap();
    assert!(here == packed(&elsewhere, "there"), "the packages differ");

    std::fs::write(&handler, "another binary").unwrap();
    assert!(
        here != packed(&elsewhere, "other"),
        "the binary is not in it"
    );
}
