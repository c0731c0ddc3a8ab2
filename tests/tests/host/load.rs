//! What the host loads and what it does not (E1).

use egress_tests::host::{App, Call, Host};
use serde_json::{Value, json};

use super::Stub;

fn why(app: &App, name: &str) -> String {
    let found = app.not_loaded.iter().find(|(function, _)| function == name);
    let (_, why) = found.unwrap_or_else(|| panic!("{name} is loaded"));
    why.clone()
}

#[test]
fn e1_faults_of_host_json_stop_everything() {
    let wrong: [(&str, &str, Value, &str); 5] = [
        ("version", "/version", json!("1.0"), "version"),
        (
            "description",
            "/customHandler/description",
            json!(null),
            "defaultExecutablePath",
        ),
        (
            "path",
            "/customHandler/description/defaultExecutablePath",
            json!(""),
            "required",
        ),
        ("timeout", "/functionTimeout", json!("soon"), "hh:mm:ss"),
        (
            "proxy",
            "/customHandler/enableProxyingHttpRequest",
            json!(true),
            "not emulated",
        ),
    ];
    for (name, pointer, value, said) in wrong {
        let stub = Stub::new(name).set(pointer, value);
        std::fs::write(stub.root.join("host.json"), stub.host_json.to_string()).unwrap();
        let error = App::load(&stub.root).unwrap_err();
        assert!(error.0.contains(said), "{name}: {error}");
    }
    let empty = Stub::new("no-functions");
    for function in ["work", "echo", "order"] {
        std::fs::remove_dir_all(empty.root.join(function)).unwrap();
    }
    std::fs::write(empty.root.join("host.json"), empty.host_json.to_string()).unwrap();
    assert!(
        App::load(&empty.root)
            .unwrap_err()
            .0
            .contains("no functions")
    );
}

#[test]
fn e1_names_in_host_json_have_no_case() {
    let mut stub = Stub::new("case");
    let handler = stub
        .host_json
        .as_object_mut()
        .unwrap()
        .remove("customHandler")
        .unwrap();
    stub.host_json["CUSTOMHANDLER"] = handler;
    assert!(stub.app().forwarding);
}

#[tokio::test]
async fn e1_a_wrong_function_is_left_out_and_the_others_run() {
    let stub = Stub::new("left-out");
    let http = |route: &str, methods: Value| {
        json!([
            { "type": "httpTrigger", "direction": "in", "name": "req", "route": route, "methods": methods },
            { "type": "http", "direction": "out", "name": "res" },
        ])
    };
    let queue = |name: &str| json!([{ "type": "queueTrigger", "name": name, "queueName": "q" }]);
    stub.function("1st", &queue("job"));
    stub.function("underscore", &queue("my_job"));
    stub.function("nothing", &json!([]));
    stub.function("two", &json!([queue("a")[0], queue("b")[0]]));
    stub.function(
        "twice",
        &json!([queue("a")[0], { "type": "queue", "direction": "out", "name": "A" }]),
    );
    stub.function(
        "tick",
        &json!([{ "type": "timerTrigger", "name": "t", "schedule": "0 * * * *" }]),
    );
    stub.function("host", &queue("job"));
    stub.function("admins", &http("admin/x", json!(["get"])));
    stub.function("pick", &http("things", json!(["get", "post"])));
    stub.function("place", &http("THINGS/", json!(["post"])));
    stub.function("remove", &http("things", json!(["delete"])));
    let app = stub.app();
    for (name, said) in [
        ("1st", "name"),
        ("underscore", "my_job"),
        ("nothing", "at least one"),
        ("two", "one trigger"),
        ("twice", "'A'"),
        ("tick", "schedule"),
        ("host", "name"),
        ("admins", "built in"),
        ("place", "'pick'"),
    ] {
        assert!(
            why(&app, name).contains(said),
            "{name}: {}",
            why(&app, name)
        );
    }
    let names: Vec<&str> = app.functions.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["echo", "order", "pick", "remove", "work"]);
    let host = Host::start(app, Vec::new()).await.unwrap();
    assert_eq!(host.call(Call::get("/api/things")).await.status, 200);
}

#[tokio::test]
async fn e1_a_setting_that_is_not_there_leaves_the_function_out() {
    let stub = Stub::new("unset");
    stub.function(
        "later",
        &json!([
            { "type": "queueTrigger", "direction": "in", "name": "job", "queueName": "%QUEUE%" },
        ]),
    );
    let host = Host::start(stub.app(), Vec::new()).await.unwrap();
    assert!(why(host.app(), "later").contains("%QUEUE%"));
    let settings = vec![("QUEUE".to_owned(), "later".to_owned())];
    let host = Host::start(stub.app(), settings).await.unwrap();
    assert!(host.app().not_loaded.is_empty());
    host.storage().put("later", "x", true);
    assert_eq!(
        host.deliver("later").await,
        egress_tests::host::Delivery::Done
    );
}
