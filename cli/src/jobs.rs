//! Work on many songs, whatever is made of each: shared out among threads and machines ([`batch`]), recorded so that it can
//! be resumed ([`ledger`]), and counted at the end ([`song_jobs`]).

pub mod batch;
pub mod ledger;
pub mod song_jobs;
