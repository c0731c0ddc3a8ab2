//! Recorded error answers of Azure, where the recordings are at hand: `errors/<status>-<code>.json`.

use std::path::Path;
use std::time::Duration;

use egress_arm::Failure;
use egress_arm::operations::NAT_GATEWAY_GET;
use serde_json::Value;
use tokio::time::Instant;

use crate::support::{Server, gateway, json_answer};

#[tokio::test]
async fn recorded_errors_become_the_right_failure() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/recordings/errors");
    let Ok(files) = std::fs::read_dir(&folder) else {
        println!("SKIPPED: no recordings at {}", folder.display());
        return;
    };
    let mut read = 0;
    for file in files {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let (status, code) = name.split_once('-').unwrap();
        let status: u16 = status.parse().unwrap();
        let recorded: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let body = recorded["body"].clone();
        let server = Server::start(move |_| json_answer(status, &[], &body)).await;
        // Enough for an answer; too little for all the repeats of a throttled one.
        let session = server
            .client()
            .session(Instant::now() + Duration::from_secs(3));
        let error = session
            .get::<Value>(&NAT_GATEWAY_GET, &gateway(), &[])
            .await
            .unwrap_err();

        assert_eq!(
            (error.http_status(), error.error_code()),
            (Some(status), Some(code)),
            "{name}"
        );
        let fits = match (status, error.failure()) {
            (
                400,
                Failure::BadRequest {
                    code: Some(_),
                    message: Some(_),
                },
            )
            | (404, Failure::NotFound { code: Some(_) })
            | (429, Failure::Throttled { .. }) => true,
            (
                403,
                Failure::Forbidden {
                    action: Some(action),
                    scope: Some(scope),
                },
            ) => {
                let message = recorded["body"]["error"]["message"].as_str().unwrap();
                message.contains(&format!("'{action}' over scope '{scope}'"))
            }
            _ => false,
        };
        assert!(fits, "{name}: {error:?}");
        assert!(!format!("{error:?}").contains('@'), "{name}: {error:?}");
        read += 1;
    }
    assert!(read > 0, "no recordings in {}", folder.display());
}
