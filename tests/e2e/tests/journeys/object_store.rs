//! Raw mail in an S3-compatible object store: stored, read back to the byte, erased.

use postroom_e2e::{Mode, Stack, StackOptions, small_mail};
use postroom_test_support::{Testbed, eventually};
use serde_json::json;

use crate::PATIENCE;

#[tokio::test(flavor = "multi_thread")]
async fn mail_lies_in_a_bucket_and_leaves_it_with_its_account() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("bucket").unwrap();
    let prefix = user.address.replace('@', "-at-");
    let options = StackOptions {
        environment: bucket_environment(&testbed, &prefix),
        ..StackOptions::default()
    };
    let mail: Vec<_> = (0..40)
        .map(|number| small_mail(&format!("bucket {number}")))
        .collect();
    testbed.seed(&user, "INBOX", mail).await.unwrap();
    let stack = Stack::start(Mode::Distributed, options).await.unwrap();
    let account = stack.connect_by_password(&testbed, &user).await.unwrap();
    stack.wait_for_state(&account, "connected", PATIENCE).await;
    stack
        .compare_folder(&testbed, &user, &account, "INBOX")
        .await
        .unwrap();
    let stored = objects(&testbed, &prefix).await;
    assert!(stored.contains(&account), "{stored}");

    let disconnect = format!("/v1/accounts/{account}/disconnect");
    stack
        .api
        .post(&disconnect, &json!({ "purge": true }))
        .await
        .unwrap();
    // Housekeeping goes round once a minute.
    eventually(PATIENCE * 3, "the bucket to be empty", async || {
        let left = objects(&testbed, &prefix).await;
        (!left.contains(&account)).then_some(()).ok_or(left)
    })
    .await;
}

fn bucket_environment(testbed: &Testbed, prefix: &str) -> Vec<(String, String)> {
    [
        (
            "POSTROOM_OBJECTS_URL",
            format!("s3://{}/{prefix}", testbed.s3.bucket),
        ),
        ("AWS_ENDPOINT", testbed.s3.endpoint.clone()),
        ("AWS_ALLOW_HTTP", "true".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "testbed".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "testbed".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// What lies below a prefix of the bucket, as S3 lists it.
async fn objects(testbed: &Testbed, prefix: &str) -> String {
    let url = format!(
        "{}/{}?list-type=2&prefix={prefix}/",
        testbed.s3.endpoint, testbed.s3.bucket
    );
    reqwest::get(url).await.unwrap().text().await.unwrap()
}
