//! An emulator of the Azure Functions host for custom handlers: loads `host.json` and the function folders, starts and
//! supervises the handler process, forwards HTTP triggers as the real host does, and calls all other functions with its JSON
//! envelope, over queues and blobs in memory. Its clock stands still unless it is moved on: leases, visibility, schedules and
//! timeouts take no time.
//!
//! What of the host it covers, and the tests that show it. Those with a rule in their name drive a handler that does what it is
//! told, in `tests/host`: they show that the emulator tells right from wrong. The others drive the built binary.
//!
//! | rule | what | shown by |
//! |---|---|---|
//! | E1 | load `host.json` and the function folders | `e1_faults_of_host_json_stop_everything`, `e1_names_in_host_json_have_no_case`, `e1_a_wrong_function_is_left_out_and_the_others_run`, `e1_a_setting_that_is_not_there_leaves_the_function_out`, `every_operation_of_the_contract_has_its_function` |
//! | E2 | one port for the whole run | `e3_every_start_has_its_own_worker_id_and_the_same_port`, `a_killed_handler_is_back_on_the_same_port_and_the_third_kill_stops_the_host` |
//! | E3 | environment, arguments, output | `e3_every_start_has_its_own_worker_id_and_the_same_port`, `the_package_unpacked_runs_under_the_host_with_an_empty_environment`, `normal_work_writes_nothing_to_stderr` |
//! | E4 | readiness | `e4_a_404_on_the_root_is_ready`, `e4_a_handler_that_never_listens_is_started_three_times`, `e4_a_root_that_never_answers_is_waited_for_longer_than_a_function_and_then_a_failed_start`, `a_handler_that_binds_five_seconds_late_is_waited_for` |
//! | E5 | supervision | `e5_an_exit_with_200_is_a_restart_that_does_not_count`, `e5_two_crashes_are_recovered_from_and_the_third_stops_the_host`, `e5_errors_are_forgotten_after_half_an_hour_without_one`, `e5_an_exit_with_0_is_never_noticed`, `e5_a_crash_at_the_start_counts`, `a_killed_handler_is_back_on_the_same_port_and_the_third_kill_stops_the_host` |
//! | E6 | calls wait for the handler | `e6_a_missing_executable_is_waited_for_until_the_host_ends`, `a_handler_that_binds_five_seconds_late_is_waited_for` |
//! | E7 | HTTP listener | `e7_the_listener_answers_what_no_function_answers`, `e7_a_body_over_the_limit_is_413`, `the_host_reaches_the_handler_and_keys_guard_all_but_health`, `literal_segments_match_in_any_case` |
//! | E8 | plain HTTP or envelope | `e8_without_forwarding_every_call_is_an_envelope_and_redirects_are_followed`, `every_operation_of_the_contract_has_its_function`, `e9_a_chunked_upload_fails_forwarded_and_arrives_without_its_body_in_the_envelope` |
//! | E9 | plain HTTP with the host's quirks | `e9_a_call_is_forwarded_with_its_path_and_the_hosts_quirks`, `e9_an_escaped_question_mark_cuts_the_path`, `e9_any_status_of_the_handler_is_passed_through`, `a_doubled_query_key_arrives_comma_joined_and_is_refused`, `a_body_with_a_lost_content_encoding_is_a_clear_400`, `the_invocation_id_is_the_request_id_in_header_body_and_log`, `a_5xx_of_the_handler_is_passed_through` |
//! | E10 | streaming proxy | (not used: `host.json` that asks for it is refused) |
//! | E11 | envelope | `e11_a_request_is_described_as_the_host_describes_it`, `e11_bodies_are_text_or_base64_or_absent`, `e11_a_message_is_described_as_the_host_describes_it`, `e11_answers_that_are_no_success_fail`, `e11_an_empty_answer_hangs_until_the_functions_timeout`, `texts_that_are_encoded_once_are_read_as_well`, `a_message_of_a_binary_binding_is_read`, `no_function_ever_answers_with_nothing`, `an_order_that_is_chunked_is_refused_and_not_lost_silently`, `a_request_in_an_envelope_is_read_however_it_is_written` |
//! | E12 | outputs | `e12_each_kind_of_output_is_written_as_the_host_writes_it`, `e12_an_empty_object_is_a_success`, `e12_a_bad_http_output_fails_the_call_before_anything_is_written`, `e12_a_failing_output_keeps_what_the_others_wrote`, `e12_an_outputs_path_is_filled_in_after_the_function_has_run`, `e12_no_outputs_is_an_empty_200_and_no_res_is_an_empty_object`, `an_order_ends_as_a_stored_report_in_every_format` |
//! | E13 | queues | `e13_a_failed_message_is_invisible_for_its_time_and_poison_after_five_deliveries`, `e13_what_a_dead_host_held_is_seen_again_when_its_lease_ends`, `e13_a_message_in_work_is_held_however_long_it_takes`, `e13_a_batch_is_worked_on_side_by_side`, `e13_what_cannot_be_decoded_is_poison_with_its_content_and_no_function_sees_it`, `e13_a_poison_function_that_fails_is_tried_again_when_the_lease_ends_and_five_times_in_all`, `five_failures_end_in_the_poison_queue_with_a_stored_failure`, `what_is_delivered_twice_is_made_once` |
//! | E14 | timers | `e14_a_timer_fires_when_it_is_due_and_a_failure_is_not_tried_again`, `a_timer_orders_a_diagnosis_of_every_cluster`, `a_timer_that_fails_orders_nothing_and_the_next_tick_tries_again` |
//! | E15 | function timeout | `e15_a_function_that_takes_too_long_takes_all_others_with_it`, `a_diagnosis_that_takes_too_long_is_killed_and_made_by_its_successor` |
//! | E16 | health under load | `health_is_answered_while_diagnoses_are_in_work` |
//! | E17 | the end | `e17_the_port_is_free_after_the_end`, `the_port_is_free_after_the_end_unless_a_wrapper_keeps_its_child` |
//!
//! The cases that a handler must meet at least:
//!
//! | case | shown by |
//! |---|---|
//! | bound late | `a_handler_that_binds_five_seconds_late_is_waited_for` |
//! | 404 on `/` is ready | `e4_a_404_on_the_root_is_ready` |
//! | two crashes, then recovery; the third stops the host | `a_killed_handler_is_back_on_the_same_port_and_the_third_kill_stops_the_host` |
//! | exit 0 trap | `e5_an_exit_with_0_is_never_noticed`, `a_wrong_command_under_the_host_does_not_exit_with_0` |
//! | forwarded path with prefix and catch-all | `e9_a_call_is_forwarded_with_its_path_and_the_hosts_quirks`, `every_function_reaches_a_route_of_the_handler` |
//! | repeated query keys | `a_doubled_query_key_arrives_comma_joined_and_is_refused` |
//! | gzip without its header | `a_body_with_a_lost_content_encoding_is_a_clear_400` |
//! | chunked upload | `e9_a_chunked_upload_fails_forwarded_and_arrives_without_its_body_in_the_envelope`, `an_order_that_is_chunked_is_refused_and_not_lost_silently` |
//! | 4xx and 5xx pass | `the_function_key_in_the_query_is_not_an_unknown_field`, `a_5xx_of_the_handler_is_passed_through` |
//! | doubly, singly encoded and binary data | `texts_that_are_encoded_once_are_read_as_well`, `a_message_of_a_binary_binding_is_read` |
//! | a message that is no JSON | `strange_messages_end_as_stored_failures_and_harm_nobody` |
//! | `{}` as an answer; never an empty one | `e12_an_empty_object_is_a_success`, `no_function_ever_answers_with_nothing` |
//! | lists as outputs; the base64 trap | `e12_each_kind_of_output_is_written_as_the_host_writes_it`, `an_order_ends_as_a_stored_report_in_every_format` |
//! | delivered twice | `what_is_delivered_twice_is_made_once` |
//! | five failures are poison | `five_failures_end_in_the_poison_queue_with_a_stored_failure` |
//! | SIGKILL in mid-job, then delivered again | `a_handler_killed_in_mid_run_loses_nothing_and_stores_one_report` |
//! | a queue function cannot be called from outside | `every_other_function_is_called_by_its_name_and_by_nobody_else` |
//! | stderr is silent | `normal_work_writes_nothing_to_stderr` |
//! | a wrapper that does not `exec` | `the_port_is_free_after_the_end_unless_a_wrapper_keeps_its_child` |
//!
//! Not emulated, because it is not used here; an application that asks for it is refused: the proxy, a fixed port, routes in
//! `host.json`, other working folders, `$return`, retry policies, `runOnStartup`, `useMonitor`, other bindings. Nor are what is
//! not the host's: the 230 s of the load balancer, scaling, and quotas.

mod app;
mod binding;
mod call;
mod clock;
mod dotnet;
mod envelope;
mod forward;
mod function;
mod invoke;
mod launch;
mod outputs;
mod process;
mod queues;
mod request;
mod route;
mod schedule;
mod storage;
mod supervisor;

use std::time::Duration;

pub use app::{App, LoadError, QueueSettings};
pub use binding::{Binding, BindingData, Direction};
pub use call::{Answer, Call};
pub use clock::Clock;
pub use function::{AuthLevel, Function, HttpTrigger};
pub use process::{HostStopped, Process};
pub use queues::Delivery;
pub use storage::{Message, Storage};
pub use supervisor::Event;

/// Version that the emulator reports in `Azure-Functions-Host/…`.
pub const HOST_VERSION: &str = "4.1052.200";

/// The function key that the emulated host accepts.
pub const FUNCTION_KEY: &str = "emulated-function-key";

/// The longest body that is taken from outside, and the setting that changes it.
const BODY_LIMIT: usize = 104_857_600;
const BODY_LIMIT_SETTING: &str = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT";

/// A running host: the application, its handler process and an HTTP client to it.
pub struct Host {
    app: App,
    process: Process,
    client: reqwest::Client,
    settings: Vec<(String, String)>,
    clock: Clock,
    storage: Storage,
    encodes_once: bool,
}

/// Loads the application at `root` and starts it with no settings at all.
///
/// # Panics
/// When the application or one of its functions does not load, or its handler does not become ready.
pub async fn start(root: &std::path::Path) -> Host {
    let app = App::load(root).expect("the application loads");
    assert!(app.not_loaded.is_empty(), "{:?}", app.not_loaded);
    Host::start(app, Vec::new())
        .await
        .expect("the handler becomes ready")
}

impl Host {
    /// Starts the handler of `app` with `settings` on top of an otherwise empty environment, and waits until it is ready.
    ///
    /// # Errors
    /// [`HostStopped`] when the handler did not become ready or crashed three times.
    pub async fn start(app: App, settings: Vec<(String, String)>) -> Result<Self, HostStopped> {
        let host = Self::begin(app, settings);
        host.process.ready().await?;
        Ok(host)
    }

    /// The same without waiting, as the host itself does: calls wait until the handler is ready.
    ///
    /// # Panics
    /// When there is no port.
    pub fn begin(mut app: App, settings: Vec<(String, String)>) -> Self {
        // Never used, the handler speaks plain HTTP; reqwest insists on one all the same. Installed already: as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let redirects = if app.forwarding {
            reqwest::redirect::Policy::none()
        } else {
            reqwest::redirect::Policy::limited(50)
        };
        let client = reqwest::Client::builder()
            .redirect(redirects)
            .no_proxy()
            .no_gzip()
            .timeout(app.function_timeout + Duration::from_mins(1))
            .build()
            .expect("a plain HTTP client");
        app.resolve(&settings);
        let clock = Clock::new();
        let process = Process::start(&app, settings.clone(), client.clone(), clock.clone());
        Self {
            app,
            process: process.expect("a port"),
            client,
            settings,
            storage: Storage::new(clock.clone()),
            clock,
            encodes_once: false,
        }
    }

    /// From now on texts in envelopes are encoded once, as the documentation shows it and the host does not do it.
    #[must_use]
    pub fn as_documented(mut self) -> Self {
        self.encodes_once = true;
        self
    }

    /// Sends one HTTP call through routing, key check and forwarding.
    pub async fn call(&self, call: Call) -> Answer {
        let path = call.display_path();
        let first = path.split('/').find(|segment| !segment.is_empty());
        // The host's own: its administration, which wants the master key, and a page at the root.
        if first.is_some_and(|segment| segment.eq_ignore_ascii_case("admin")) {
            return Answer::of_host(401);
        }
        let Some(matched) = route::find(&self.app, &call.method, &path) else {
            return Answer::of_host(if first.is_none() { 200 } else { 404 });
        };
        if matched.http().auth_level != AuthLevel::Anonymous && !call.has_key(FUNCTION_KEY) {
            return Answer::of_host(401);
        }
        if call
            .body
            .as_ref()
            .is_some_and(|body| body.len() > self.body_limit())
        {
            return Answer::of_host(413);
        }
        if self.process.ready().await.is_err() {
            return Answer::of_host(503);
        }
        if !matched.forwarded || !self.app.forwarding {
            return self.call_in_envelope(matched, &call).await;
        }
        let forwarded = forward::forward(&self.client, self.process.port(), call);
        let answer = self.limited(matched, forwarded).await;
        answer.unwrap_or_else(|| Answer::of_host(500))
    }

    fn body_limit(&self) -> usize {
        let set = self
            .settings
            .iter()
            .find(|(name, _)| name == BODY_LIMIT_SETTING);
        set.map_or(BODY_LIMIT, |(_, limit)| limit.parse().expect("a limit"))
    }

    /// Asks the handler whether it lives, as the host does from time to time; the status of its answer.
    pub async fn ping(&self) -> Option<u16> {
        let url = format!("http://127.0.0.1:{}/", self.process.port());
        let answer = self.client.get(url).send().await.ok()?;
        Some(answer.status().as_u16())
    }

    /// Ends the host when its calls are done: SIGKILL for the handler's process and no other. Whether the port is free then.
    pub async fn stop(self) -> bool {
        self.process.stop().await
    }

    /// The host's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What functions wrote.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The handler process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The loaded application.
    pub fn app(&self) -> &App {
        &self.app
    }
}
