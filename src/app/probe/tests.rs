//! When a backend is asked that does not answer, on a paused clock.

use std::cell::RefCell;

use super::*;

/// When, in seconds, a backend is asked that answers at `answers`, with this trouble before.
async fn asked_until(answers: u64, trouble: fn() -> Trouble) -> Vec<u64> {
    let begun = Instant::now();
    let asked = RefCell::new(Vec::new());
    until_it_answers(
        |_| (),
        || {
            let now = begun.elapsed().as_secs();
            asked.borrow_mut().push(now);
            async move {
                match now >= answers {
                    true => Ok(()),
                    false => Err(trouble()),
                }
            }
        },
    )
    .await;
    asked.into_inner()
}

#[tokio::test(start_paused = true)]
async fn a_backend_is_asked_less_and_less_often_until_it_answers() {
    let down = || Trouble::Silent("greet");
    assert_eq!(asked_until(0, down).await, [0]);
    assert_eq!(asked_until(2, down).await, [0, 1, 3]);
    assert_eq!(asked_until(20, down).await, [0, 1, 3, 7, 12, 17, 22]);
    let refuses = || Trouble::Refuses("554 no".to_owned());
    let asked = asked_until(200, refuses).await;
    assert_eq!(asked, [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]);
}
