//! The developer's `az login`: a program `az` that stands first on the path. The library looks it up in the environment, so
//! the test starts itself again with another path.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use egress_arm::operations::NAT_GATEWAY_GET;
use egress_arm::{Client, ClientSettings, Cloud, Endpoints, Identity, Trust};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{Server, gateway, json_answer, ok, soon};

const TEST: &str = "developer::the_token_of_az_login_is_used_and_asked_once";

#[expect(
    clippy::disallowed_methods,
    reason = "the environment is this test's only way to tell its second self what to do"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A folder with an `az` that notes its arguments and prints a token.
fn az(folder: &Path) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    let asked = folder.join("asked");
    let script = format!(
        "#!/bin/sh\necho \"$*\" >> '{}'\necho '{}'\n",
        asked.display(),
        json!({"accessToken": "from-az", "expires_on": 4_102_444_800_i64, "tokenType": "Bearer"})
    );
    let program = folder.join("az");
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let _gone = std::fs::remove_file(&asked);
    asked
}

#[tokio::test]
async fn the_token_of_az_login_is_used_and_asked_once() {
    if let (Some(arm), Some(bundle)) = (variable("TEST_ARM"), variable("TEST_BUNDLE")) {
        return ask_twice(&arm, bundle.into()).await;
    }
    let arm = Server::start(|seen| match seen.header("authorization") {
        Some("Bearer from-az") => ok(&json!({"name": "ng1"})),
        _ => json_answer(
            401,
            &[],
            &json!({"error": {"code": "AuthenticationFailed"}}),
        ),
    })
    .await;
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("developer");
    let asked = az(&folder);
    let bundle = folder.join("developer.pem");
    std::fs::write(&bundle, &arm.pem).unwrap();
    let path = variable("PATH").unwrap_or_default();

    let second_self = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST])
        .env("TEST_ARM", &arm.origin)
        .env("TEST_BUNDLE", &bundle)
        .env("PATH", format!("{}:{path}", folder.display()))
        .stdout(Stdio::piped())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&second_self.stdout);
    assert!(second_self.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
    assert_eq!(
        std::fs::read_to_string(&asked).unwrap(),
        "account get-access-token -o json --scope https://management.azure.com/.default\n"
    );
}

async fn ask_twice(arm: &str, bundle: PathBuf) {
    let endpoints = Endpoints::of(Cloud::Public)
        .with_arm_endpoint(arm)
        .and_then(|endpoints| endpoints.with_arm_audience("https://management.azure.com"))
        .unwrap();
    let session = Client::new(ClientSettings {
        endpoints,
        identity: Identity::DeveloperCli,
        trust: Trust::File(bundle),
    })
    .session(soon());
    for _ in 0..2 {
        session
            .get::<Value>(&NAT_GATEWAY_GET, &gateway(), &[])
            .await
            .unwrap();
    }
}
