//! gRPC calls through the same layers, against the notification service.

use std::time::Duration;

use sandbox::{
    Sandbox,
    chaos::{Fault, Rule},
    notifications::proto::{GetUnreadCountRequest, notification_service_client::NotificationServiceClient},
};
use shared_lib::{
    circuit_breaker::State,
    clock::Clock,
    context::{Caller, RequestContext},
    downstream::{
        DownstreamError, DownstreamSettings,
        budget::{RequestBudget, parse_grpc_timeout},
        grpc::GrpcDownstream,
    },
    settings::Secret,
    telemetry::request_id::RequestId,
    testing::eventually,
};

use crate::harness::{PATIENCE, Process, reason};

const METHOD: &str = "trifront.notifications.v1.NotificationService/GetUnreadCount";

async fn notifications() -> Sandbox {
    Sandbox::builder().only(["provider", "notifications"]).start().await.expect("notifications")
}

fn alice(sandbox: &Sandbox, budget: RequestBudget) -> RequestContext {
    let life = Duration::from_secs(300);
    let token = sandbox.provider().access_token("alice", "bff-web", "trifront-services", &["notifications:read"], life);
    let caller = Caller {
        subject: "usr_alice".to_owned(),
        scopes: Vec::new(),
        token: Some(Secret::from(token.expect("a token"))),
    };
    RequestContext::new(budget, RequestId::fresh(), Some(caller), None, opentelemetry::Context::new())
}

fn five_seconds() -> RequestBudget {
    RequestBudget::starting_now(Duration::from_secs(5))
}

fn two_attempts(settings: &mut DownstreamSettings) {
    settings.timeout_ms = 250;
    settings.retry.max_attempts = 2;
}

async fn unread(process: &Process, context: &RequestContext, idempotent: bool) -> Result<u32, DownstreamError> {
    let grpc = GrpcDownstream::new(process.downstream.clone());
    let answer = grpc.unary(context, METHOD, idempotent, GetUnreadCountRequest {}, |channel, request| {
        let mut client = NotificationServiceClient::new(channel);
        async move { client.get_unread_count(request).await }
    });
    Ok(answer.await?.value.unread_count)
}

/// Shows: S2, S3
#[actix_web::test]
async fn each_grpc_fault_is_told_apart_and_gives_everything_back() {
    let sandbox = notifications().await;
    let context = alice(&sandbox, five_seconds());
    let cases = [
        ("a hang", Rule::fault(Fault::Hang), "timeout", 2, 2),
        ("no answer in time", Rule::latency(Duration::from_secs(30)), "timeout", 2, 2),
        ("its own deadline", Rule::grpc_status(4), "timeout", 2, 2),
        ("a reset", Rule::fault(Fault::Reset), "broken", 2, 2),
        ("unavailable", Rule::grpc_status(14), "connect", 2, 2),
        ("exhausted", Rule::grpc_status(8), "server-error", 2, 0),
        ("an internal error", Rule::grpc_status(13), "server-error", 1, 1),
        ("a refusal", Rule::grpc_status(7), "server-error", 1, 0),
    ];
    for (name, rule, expected, wire_calls, failed) in cases {
        let process = Process::new(&[sandbox.grpc_url()], two_attempts);
        sandbox.chaos().set("notifications", vec![rule]).expect("a rule");
        sandbox.chaos().clear_calls();
        let outcome = unread(&process, &context, true).await;
        assert_eq!(reason(&outcome), expected, "{name}: {outcome:?}");
        assert_eq!(sandbox.chaos().calls("notifications").len(), wire_calls, "{name}: wire calls");
        let breaker = process.breaker();
        assert_eq!((breaker.calls, breaker.failed_calls), (wire_calls as u64, failed), "{name}");
        process.assert_idle(name).await;

        sandbox.chaos().clear();
        let again = unread(&process, &alice(&sandbox, five_seconds()), true).await;
        assert_eq!(reason(&again), "success", "after {name}: {again:?}");
    }
}

/// Shows: S3
#[actix_web::test]
async fn a_grpc_call_that_is_not_idempotent_is_sent_once() {
    let sandbox = notifications().await;
    let process = Process::new(&[sandbox.grpc_url()], two_attempts);
    sandbox.chaos().set("notifications", vec![Rule::grpc_status(14)]).expect("a rule");
    unread(&process, &alice(&sandbox, five_seconds()), false).await.expect_err("unavailable");
    assert_eq!(sandbox.chaos().calls("notifications").len(), 1);
}

/// Shows: S3
#[actix_web::test]
async fn a_grpc_server_that_is_away_is_a_failure_to_connect() {
    let sandbox = notifications().await;
    let context = alice(&sandbox, five_seconds());
    let process = Process::new(&[sandbox.grpc_url()], two_attempts);
    drop(sandbox);
    let outcome = unread(&process, &context, true).await;
    assert_eq!((reason(&outcome), process.load().wire_attempts), ("connect", 2), "{outcome:?}");
    assert_eq!(process.breaker().failed_calls, 2);
    process.assert_idle("after the refusals").await;
}

/// Shows: S2
#[actix_web::test]
async fn grpc_failures_open_the_breaker_and_open_it_sends_nothing() {
    let sandbox = notifications().await;
    let (clock, _hand) = Clock::manual();
    let process = Process::with_clock(&[sandbox.grpc_url()], &clock, |settings| settings.retry.max_attempts = 1);
    sandbox.chaos().set("notifications", vec![Rule::grpc_status(13)]).expect("a rule");
    for _ in 0..15 {
        unread(&process, &alice(&sandbox, five_seconds()), true).await.expect_err("it fails");
    }
    assert_eq!(process.breaker().state, State::Open);
    assert_eq!(sandbox.chaos().calls("notifications").len(), 10);
}

/// Shows: S3
#[actix_web::test]
async fn grpc_calls_spend_the_requests_budget_and_carry_what_is_left_of_it() {
    let sandbox = notifications().await;
    let process = Process::new(&[sandbox.grpc_url()], |_| {});
    let (clock, hand) = Clock::manual();
    let context = alice(&sandbox, RequestBudget::new(clock, Duration::from_millis(3_000), 3));
    for _ in 0..3 {
        unread(&process, &context, true).await.expect("an answer");
        hand.advance(Duration::from_millis(800));
    }
    let calls = sandbox.chaos().calls("notifications");
    let told: Vec<_> = calls.iter().map(|call| parse_grpc_timeout(&call.headers["grpc-timeout"])).collect();
    let millis = |millis| Some(Duration::from_millis(millis));
    assert_eq!(told, [millis(2_000), millis(2_000), millis(1_400)]);
    assert!(calls.iter().all(|call| call.subject.as_deref() == Some("usr_alice")), "the token goes along");
    let outcome = unread(&process, &context, true).await;
    assert_eq!((reason(&outcome), sandbox.chaos().calls("notifications").len()), ("budget-exhausted", 3));
}

/// Shows: S2, S5
#[actix_web::test]
async fn a_cancelled_grpc_call_gives_its_places_back() {
    let sandbox = notifications().await;
    let process = Process::new(&[sandbox.grpc_url()], |_| {});
    sandbox.chaos().set("notifications", vec![Rule::fault(Fault::Hang)]).expect("a rule");
    let context = alice(&sandbox, five_seconds());
    let (downstream, registry) = (process.downstream.clone(), process.registry.clone());
    let call = actix_web::rt::spawn(async move { unread(&Process { registry, downstream }, &context, true).await });
    let arrived = eventually(PATIENCE, || async { sandbox.chaos().calls("notifications").len() == 1 }).await;
    assert!(arrived);
    assert_eq!(process.load().calls_under_way, 1);
    call.abort();
    process.assert_idle("after the caller left").await;
    assert_eq!(process.breaker().calls, 0);
}
