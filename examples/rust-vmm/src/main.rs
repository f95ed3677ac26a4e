//! A balloon device on rust-vmm's crates, behind a vhost-user socket: what its guest inflates is given back.
//!
//!     while :; do target/release/balloon /run/b.sock; done &
//!     balloon-conformance run vhost-user-device:/run/b.sock --profile base
//!
//! Like other back-ends on these crates it serves one connection and ends, so a new device is a new process.
use std::io::{Read, Result};
use std::sync::{Arc, Mutex};

use vhost::vhost_user::message::VhostUserProtocolFeatures;
use vhost_user_backend::{VhostUserBackendMut, VhostUserDaemon, VringRwLock, VringT};
use virtio_queue::QueueT;
// All of it, because the trait that has get_slice has another name since 0.18.
use vm_memory::*;
use vmm_sys_util::epoll::EventSet;

type Memory = GuestMemoryAtomic<GuestMemoryMmap>;

const INFLATE: u16 = 0;
const STATISTICS: u16 = 2;

const MUST_TELL_HOST: u64 = 1 << 0;
const STATS_VQ: u64 = 1 << 1;
const DEFLATE_ON_OOM: u64 = 1 << 2;
/// A bit of vhost-user and not of the device: there are protocol features.
const PROTOCOL_FEATURES: u64 = 1 << 30;
const VERSION_1: u64 = 1 << 32;

const PAGE_BYTES: usize = 4096;

struct Balloon {
    memory: Memory,
    /// num_pages, which stays 0 because nobody sets a target, and actual.
    configuration: [u8; 8],
}

impl Balloon {
    /// Give the memory of every page back that a buffer names, in entries of 4 bytes; what is no page is passed over.
    fn inflate(&self, mut entries: impl Read) {
        let memory = self.memory.memory();
        let mut entry = [0; 4];
        while entries.read_exact(&mut entry).is_ok() {
            let address = GuestAddress(u64::from(u32::from_le_bytes(entry)) * PAGE_BYTES as u64);
            if let Ok(page) = memory.get_slice(address, PAGE_BYTES) {
                let start = page.ptr_guard_mut();
                // SAFETY: the slice is one page of guest memory, which stays mapped as long as it is borrowed.
                unsafe { libc::madvise(start.as_ptr().cast(), PAGE_BYTES, libc::MADV_REMOVE) };
            }
        }
    }
}

impl VhostUserBackendMut for Balloon {
    type Bitmap = ();
    type Vring = VringRwLock;

    fn num_queues(&self) -> usize {
        3
    }

    fn max_queue_size(&self) -> usize {
        1024
    }

    fn features(&self) -> u64 {
        MUST_TELL_HOST | STATS_VQ | DEFLATE_ON_OOM | PROTOCOL_FEATURES | VERSION_1
    }

    fn protocol_features(&self) -> VhostUserProtocolFeatures {
        VhostUserProtocolFeatures::CONFIG | VhostUserProtocolFeatures::MQ | VhostUserProtocolFeatures::REPLY_ACK
    }

    fn set_event_idx(&mut self, _enabled: bool) {}

    fn get_config(&self, offset: u32, size: u32) -> Vec<u8> {
        let (from, to) = (offset as usize, offset as usize + size as usize);
        self.configuration.get(from..to).unwrap_or_default().to_vec()
    }

    fn set_config(&mut self, offset: u32, data: &[u8]) -> Result<()> {
        // The driver's own field is actual, the last four bytes.
        let from = offset as usize;
        if let Some(actual) = self.configuration.get_mut(from..from + data.len()).filter(|_| from >= 4) {
            actual.copy_from_slice(data);
        }
        Ok(())
    }

    fn update_memory(&mut self, memory: Memory) -> Result<()> {
        self.memory = memory;
        Ok(())
    }

    fn handle_event(&mut self, queue: u16, _: EventSet, vrings: &[VringRwLock], _: usize) -> Result<()> {
        let vring = &vrings[queue as usize];
        let memory = self.memory.memory();
        // Statistics are kept until the host wants new ones, which this one never does.
        while queue != STATISTICS {
            let chain = vring.get_mut().get_queue_mut().pop_descriptor_chain(memory.clone());
            let Some(chain) = chain else { break };
            let head = chain.head_index();
            if queue == INFLATE {
                if let Ok(entries) = chain.reader(&memory) {
                    self.inflate(entries);
                }
            }
            vring.add_used(head, 0).map_err(std::io::Error::other)?;
            vring.signal_used_queue()?;
        }
        Ok(())
    }
}

fn main() {
    let socket = std::env::args().nth(1).expect("usage: balloon SOCKET");
    let memory = Memory::new(GuestMemoryMmap::new());
    let balloon = Balloon { memory: memory.clone(), configuration: [0; 8] };
    let mut daemon = VhostUserDaemon::new("balloon".into(), Arc::new(Mutex::new(balloon)), memory).unwrap();
    let served = daemon.serve(&socket);
    if let Err(error) = &served {
        eprintln!("balloon: {error}");
    }
    // The daemon would wait for its threads, which wait for buffers; nothing more comes.
    std::process::exit(i32::from(served.is_err()));
}
