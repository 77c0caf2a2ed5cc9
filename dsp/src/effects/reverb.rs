//! Reverb send, of vocals and other unless a recipe says otherwise, ahead of the chain (paper section 3.4): the send is
//! shelved at both ends, convolved with a room, and added to the dry stem.

pub(crate) mod draw;
pub(crate) mod room;
pub(crate) mod send;

pub use draw::ReverbDraw;
pub use room::{ImpulseResponse, ImpulseResponseError, LONGEST_SECONDS, Room, RoomName};
