// Rust's containers as they are, and as another thread may have left them half-changed: the
// words of each are set to what no finished change leaves there. None of them is used again.
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::mem::ManuallyDrop;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::Arc;

static SINK: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());

fn keep<T: ?Sized>(value: &T) {
    SINK.store(value as *const T as *mut u8, Ordering::Relaxed);
}

pub struct Circle {
    pub number: u32,
    pub next: RefCell<Option<Rc<Circle>>>,
}

type Table = HashMap<u32, u32>;
type Tree = BTreeMap<u32, u8>;

// As rustc 1.63 lays a table out, behind the two words of its hasher.
const MASK: usize = 2;
const CONTROL: usize = 3;
const ITEMS: usize = 5;
// And a B-tree.
const HEIGHT: usize = 0;
const ROOT: usize = 1;
const LENGTH: usize = 2;
// And a ring.
const TAIL: usize = 0;
const HEAD: usize = 1;

fn words<T>(value: &mut T) -> &mut [usize] {
    let count = std::mem::size_of::<T>() / 8;
    unsafe { std::slice::from_raw_parts_mut(value as *mut T as *mut usize, count) }
}

fn table() -> ManuallyDrop<Table> {
    ManuallyDrop::new([(7u32, 70u32)].into_iter().collect())
}

fn tree(size: u32) -> ManuallyDrop<Tree> {
    ManuallyDrop::new((0..size).map(|i| (i, i as u8)).collect())
}

// And a node of Tree: parent, 11 keys, its number in the parent, length, 11 values, children.
const NODE_PARENT: usize = 0;
const NODE_LENGTH: usize = 8 + 11 * 4 + 2;
const NODE_CHILDREN: usize = 72;

fn at<T>(node: usize, offset: usize) -> &'static mut T {
    unsafe { &mut *((node + offset) as *mut T) }
}

#[inline(never)]
fn look(words_of: &[String]) -> usize {
    let whole = [(7u32, 70u32)].into_iter().collect::<Table>();
    let members: HashSet<char> = ['€'].into_iter().collect();
    let empty = Table::new();
    let texts: HashMap<String, Vec<u8>> = [("key".to_string(), vec![1u8, 2])].into_iter().collect();
    let mut more = table();
    words(&mut *more)[ITEMS] += 2;
    let mut odd = table();
    words(&mut *odd)[MASK] = 4;
    let mut crowded = table();
    words(&mut *crowded)[ITEMS] = 4;
    let mut wild = table();
    words(&mut *wild)[CONTROL] = 0x1000;
    let mut far = ManuallyDrop::new(Table::with_capacity(10_000));
    words(&mut *far)[ITEMS] = 1;

    let small = tree(4);
    let tall = tree(400);
    let order: BTreeSet<u16> = [9, 8].into_iter().collect();
    let named: BTreeMap<String, Vec<u8>> =
        [("b".to_string(), vec![1u8]), ("a".to_string(), vec![])].into_iter().collect();
    let mut longer = tree(4);
    words(&mut *longer)[LENGTH] += 1;
    let mut stuffed = tree(4);
    *at::<u16>(words(&mut *stuffed)[ROOT], NODE_LENGTH) = 12;
    let mut strange = tree(40);
    let root = words(&mut *strange)[ROOT];
    *at::<usize>(*at::<usize>(root, NODE_CHILDREN + 8), NODE_PARENT) = 0x1000;
    let mut severed = tree(40);
    let root = words(&mut *severed)[ROOT];
    *at::<usize>(root, NODE_CHILDREN + 8) = 0x1000;
    let mut looped = tree(40);
    let root = words(&mut *looped)[ROOT];
    *at::<usize>(root, NODE_CHILDREN) = root;
    let mut lofty = tree(40);
    words(&mut *lofty)[HEIGHT] = 1000;

    let mut ring: VecDeque<u16> = VecDeque::with_capacity(3);
    ring.extend([2, 3]);
    ring.push_front(1);
    let mut outside = ManuallyDrop::new(ring.clone());
    words(&mut *outside)[TAIL] = 4;
    let mut beyond = ManuallyDrop::new(ring.clone());
    words(&mut *beyond)[HEAD] = 1 << 40;

    let shared = Rc::new(5u32);
    let other = Rc::clone(&shared);
    let never: Weak<u32> = Weak::new();
    let gone = Rc::downgrade(&Rc::new(6u32));
    let slice: Arc<[u16]> = vec![1u16, 2].into();
    let name: Arc<str> = "shared text".into();
    let circle = Rc::new(Circle { number: 1, next: RefCell::new(None) });
    *circle.next.borrow_mut() = Some(Rc::clone(&circle));
    for each in [&whole, &empty, &*more, &*odd, &*crowded, &*wild, &*far] {
        keep(each);
    }
    for each in [&*small, &*tall, &*longer, &*stuffed, &*strange, &*severed, &*looped, &*lofty] {
        keep(each);
    }
    keep(&members);
    keep(&texts);
    keep(&order);
    keep(&named);
    keep(&ring);
    keep(&*outside);
    keep(&*beyond);
    keep(&shared);
    keep(&other);
    keep(&never);
    keep(&gone);
    keep(&slice);
    keep(&name);
    keep(&circle);
    SINK.store(std::ptr::null_mut(), Ordering::Relaxed); // PROBE tables
    keep(words_of);
    words_of.len() + whole.len()
}

fn main() {
    assert_eq!(std::mem::size_of::<Table>(), 48);
    assert_eq!(std::mem::size_of::<Tree>(), 24);
    println!("ready=1");
    let text = vec!["one".to_string()];
    while look(&text) == 2 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}
