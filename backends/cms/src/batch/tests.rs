use service::testing::on_each_database;
use tokio::task::JoinSet;

use super::*;
use crate::bookings::tests::{bookings, cancel, code, order, room, stay};
use crate::schema;

/// the batch and those who book take nights of the same rooms in one order, so that each waits
/// for the other and neither for ever.
#[tokio::test(flavor = "multi_thread")]
async fn x_30_the_batch_and_bookers_do_not_block_each_other() {
    on_each_database(schema::STEPS, async |database| {
        let (bookings, _) = bookings(&database).await;
        let batch = Batch::new(bookings.clone(), &bookings.shared.registry).unwrap();
        let rooms: Vec<_> = (0..10).map(|at| room(&bookings, at)).collect();
        let mut transaction = database.write().await.unwrap();
        for night in stay(&bookings, 0, 30).nights().step_by(3) {
            set_closed(&mut transaction, night, &rooms).await.unwrap();
        }
        transaction.commit().await.unwrap();
        let mut workers: JoinSet<Vec<String>> = JoinSet::new();
        for _ in 0..3 {
            let batch = batch.clone();
            workers.spawn(async move {
                let mut faults = Vec::new();
                for _ in 0..60 {
                    faults.extend(batch.tick(None).await.err().map(|it| code::<()>(Err(it))));
                }
                faults
            });
        }
        for guest in 0..6 {
            let bookings = bookings.clone();
            workers.spawn(async move {
                let mut faults = Vec::new();
                for at in 0..60 {
                    let room = room(&bookings, (guest + at) % 10);
                    let wanted = stay(&bookings, 1 + i32::try_from(at % 4).unwrap(), 2);
                    let wanted = order(&bookings, &format!("{guest}-{at}"), room, wanted);
                    let held = bookings.reserve(&wanted, false).await;
                    let gone = bookings.call(&wanted.external_id, &cancel(), false).await;
                    faults.extend(held.err().map(|it| code::<()>(Err(it))));
                    faults.extend(gone.err().map(|it| code::<()>(Err(it))));
                }
                faults
            });
        }
        let mut faults = workers.join_all().await.concat();
        faults.retain(|fault| fault != "ROOM_NOT_AVAILABLE");
        assert_eq!(faults, Vec::<String>::new());
    })
    .await
    .unwrap();
}
