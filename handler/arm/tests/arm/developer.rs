//! The developer's `az login`: a program `az` that stands first on the path. The library looks it up in the environment, so
//! the test starts itself again with another path.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use egress_arm::operations::NAT_GATEWAY_GET;
use egress_arm::{Client, Identity};
use serde_json::{Value, json};

use crate::second_self;
use crate::support::{Server, gateway, json_answer, ok, soon};

const TEST: &str = "developer::the_token_of_az_login_is_used_and_asked_once";

/// A folder with an `az` that notes its arguments and prints a token.
fn az(folder: &Path) -> PathBuf {
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
    if let Some(client) = second_self::client(Identity::DeveloperCli) {
        return ask_twice(&client).await;
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
    let folder = second_self::folder(TEST);
    let asked = az(&folder);
    second_self::run(TEST, &arm, &[("PATH", folder.as_ref())]).await;
    assert_eq!(
        std::fs::read_to_string(&asked).unwrap(),
        "account get-access-token -o json --scope https://management.azure.com/.default\n"
    );
}

async fn ask_twice(client: &Client) {
    let session = client.session(soon());
    for _ in 0..2 {
        session
            .get::<Value>(&NAT_GATEWAY_GET, &gateway(), &[])
            .await
            .unwrap();
    }
}
