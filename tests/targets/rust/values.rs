// What a Rust program holds in its locals: every kind of enum that the compiler
// lays out differently, pointers thin and fat, and the standard containers.
// Each function has one line at which all of its locals are set. The argument
// chooses which variants are active; beside it nothing changes from one round to
// the next, so that two looks at one process see the same.
#![allow(dead_code)]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt::Debug;
use std::num::NonZeroU32;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

static ENDED: AtomicBool = AtomicBool::new(false);
static SINK: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static ROUNDS: AtomicU64 = AtomicU64::new(0);
static mut TOTAL: u64 = 7;

extern "C" {
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
}

extern "C" fn on_term(_: i32) {
    ENDED.store(true, Ordering::Relaxed);
}

// Lets a value's address escape, so that it has to be in memory.
#[inline(never)]
fn keep<T: ?Sized>(value: &T) {
    SINK.store(value as *const T as *const u8 as *mut u8, Ordering::Relaxed);
}

#[derive(Clone, Copy, PartialEq)]
pub struct Point {
    pub x: i32,
    pub y: i32,
}

pub struct Pair<A, B>(pub A, pub B);

pub struct Empty;

#[derive(Clone, Copy)]
pub enum Mood {
    Calm = 2,
    Busy = 9,
    Lost = -3,
}

pub enum Shape {
    Nothing,
    Circle(f64),
    Rectangle { width: u32, height: u32 },
    Named(String),
    Many(Vec<Point>),
}

// The null of the first variant's box and the numbers after it say which.
pub enum Niche {
    Full(Box<Point>),
    Void,
}

pub enum Letter {
    Known(char),
    Blank,
    Smudged,
}

#[repr(i8)]
pub enum Packed {
    Small(u8),
    Wide(u64),
    Bare,
}

pub enum Only {
    One { value: u32 },
}

pub enum Signed {
    Below(i32),
    Above(i64),
}

pub union Raw {
    number: u32,
    float: f32,
}

pub enum Account {
    Guest,
    Login { user: &'static str, password: &'static str },
    Ticket { id: u64, text: &'static str },
}

pub struct Node {
    pub value: u32,
    pub next: Option<Box<Node>>,
}

pub struct Tree {
    pub label: String,
    pub children: Vec<Tree>,
    pub parent: Weak<Point>,
}

pub trait Speaker {
    fn speak(&self) -> u32;
}

impl Speaker for Point {
    fn speak(&self) -> u32 {
        (self.x + self.y) as u32 // a trait's method
    }
}

impl Point {
    #[inline(never)]
    pub fn scaled(&self, by: i32) -> Point {
        let x = self.x * by;
        let y = self.y * by;
        Point { x, y } // a method of its own
    }
}

// Some of each kind that the argument steps through.
fn shape(which: u64) -> Shape {
    match which % 5 {
        0 => Shape::Nothing,
        1 => Shape::Circle(2.5),
        2 => Shape::Rectangle { width: 3, height: 4 },
        3 => Shape::Named("hexagon".to_string()),
        _ => Shape::Many(vec![Point { x: 1, y: 2 }, Point { x: 3, y: 4 }]),
    }
}

#[inline(never)]
fn scalars(which: u64) -> u64 {
    let yes = which % 2 == 0;
    let small: i8 = -5 - which as i8;
    let byte: u8 = 200;
    let short: i16 = -300;
    let int: i32 = -70000;
    let long: i64 = -5_000_000_000;
    let size: usize = 40 + which as usize;
    let huge: u128 = (1u128 << 100) + which as u128;
    let deep: i128 = -(1i128 << 90) - which as i128;
    let single: f32 = 1.5;
    let double: f64 = -0.125;
    let letter: char = ['a', 'ß', '€', '🦀'][which as usize % 4];
    let unit = ();
    let empty = Empty;
    let point = Point { x: 1, y: -2 };
    let pair = Pair(7u8, 'x');
    let tuple = (1u8, 2u16, 'q', (true, -1i64));
    let array = [1u32, 2, 3, 4];
    let grid = [[1u8, 2], [3, 4]];
    let mood = [Mood::Calm, Mood::Busy, Mood::Lost][which as usize % 3];
    let raw = Raw { number: 0x3f800000 };
    let only = Only::One { value: 11 };
    for each in [&yes as &dyn Debug, &small, &byte, &short, &int, &long, &size, &huge, &deep,
                 &single, &double, &letter, &unit, &tuple, &array, &grid] {
        keep(each);
    }
    keep(&empty);
    keep(&point);
    keep(&pair);
    keep(&mood);
    keep(&raw);
    keep(&only);
    SINK.store(std::ptr::null_mut(), Ordering::Relaxed); // scalars are set
    keep(&only);
    size as u64 + array.len() as u64
}

#[inline(never)]
fn enums(which: u64) -> u64 {
    let odd = which % 2 == 1;
    let point = Point { x: 5, y: 6 };
    let plain: Option<u32> = if odd { Some(42) } else { None };
    let boxed: Option<Box<u32>> = if odd { Some(Box::new(43)) } else { None };
    let lent: Option<&Point> = if odd { Some(&point) } else { None };
    let truth: Option<bool> = [None, Some(false), Some(true)][which as usize % 3];
    let letter: Option<char> = if odd { Some('z') } else { None };
    let nonzero: Option<NonZeroU32> = NonZeroU32::new(which as u32 % 2);
    let text: Option<String> = if odd { Some("some text".to_string()) } else { None };
    let slice: Option<&str> = if odd { Some("lent text") } else { None };
    let nested: Option<Option<u8>> = [None, Some(None), Some(Some(8))][which as usize % 3];
    let deeper: Option<Option<bool>> = [None, Some(None), Some(Some(true))][which as usize % 3];
    let mood: Option<Mood> = if odd { Some(Mood::Busy) } else { None };
    let fine: Result<u32, String> = if odd { Ok(1) } else { Err("bad".to_string()) };
    let unit: Result<(), u8> = if odd { Ok(()) } else { Err(4) };
    let list: Result<Vec<u32>, Box<Point>> =
        if odd { Ok(vec![1, 2]) } else { Err(Box::new(point)) };
    let figure = shape(which);
    let perhaps: Option<Shape> = if which % 3 == 0 { None } else { Some(shape(which)) };
    let niche = if odd { Niche::Full(Box::new(point)) } else { Niche::Void };
    let written = match which % 3 {
        0 => Letter::Known('k'),
        1 => Letter::Blank,
        _ => Letter::Smudged,
    };
    let packed = match which % 3 {
        0 => Packed::Small(9),
        1 => Packed::Wide(1 << 40),
        _ => Packed::Bare,
    };
    let signed = if odd { Signed::Below(-1) } else { Signed::Above(-1 << 40) };
    let account = match which % 3 {
        0 => Account::Guest,
        1 => Account::Login { user: "anna", password: "hunter2" },
        _ => Account::Ticket { id: 12, text: "row 1" },
    };
    let order = which.cmp(&2);
    keep(&plain);
    keep(&boxed);
    keep(&lent);
    keep(&truth);
    keep(&letter);
    keep(&nonzero);
    keep(&text);
    keep(&slice);
    keep(&nested);
    keep(&deeper);
    keep(&mood);
    keep(&fine);
    keep(&unit);
    keep(&list);
    keep(&figure);
    keep(&perhaps);
    keep(&niche);
    keep(&written);
    keep(&packed);
    keep(&signed);
    keep(&account);
    keep(&order);
    SINK.store(std::ptr::null_mut(), Ordering::Relaxed); // enums are set
    keep(&figure);
    keep(&account);
    plain.unwrap_or(0) as u64
}

fn chain(length: u32) -> Option<Box<Node>> {
    (0..length).rev().fold(None, |next, value| Some(Box::new(Node { value, next })))
}

#[inline(never)]
fn pointers(which: u64, words: &[String], name: &str, speaker: &dyn Speaker) -> u64 {
    let point = Point { x: 10, y: which as i32 };
    let lent = &point;
    let mut counted = which;
    let change = &mut counted;
    let boxed = Box::new(Point { x: 21, y: 22 });
    let boxed_slice: Box<[u16]> = vec![5u16, 6, 7].into_boxed_slice();
    let boxed_text: Box<str> = "boxed".into();
    let shared = Rc::new(Point { x: 31, y: 32 });
    let other = Rc::clone(&shared);
    let weak = Rc::downgrade(&shared);
    let atomic = Arc::new(Mutex::new(41u32));
    let arc_text: Arc<str> = "arc text".into();
    let arc_slice: Arc<[u16]> = vec![8u16, 9].into();
    let gone = Rc::downgrade(&Rc::new(5u8));
    let never: Weak<Point> = Weak::new();
    let one = Box::new(17u64);
    let pair = Box::new((1u8, 'b'));
    let told: Box<dyn Speaker> = Box::new(Point { x: 6, y: 7 });
    let round = circle();
    let cell = Cell::new(51u32);
    let borrowed = RefCell::new(61u32);
    let list = chain(which as u32 % 4);
    let raw: *const Point = &*boxed;
    let nothing: *const Point = std::ptr::null();
    let numbers: &[u32] = &[1, 2, 3];
    let none: &[u32] = &[];
    let multibyte = "grüße €";
    let function: fn(u64) -> Shape = shape;
    let closure = |by: u64| by + which;
    let tree = Tree {
        label: "root".to_string(),
        children: vec![Tree { label: "leaf".to_string(), children: vec![], parent: Weak::new() }],
        parent: Weak::new(),
    };
    keep(&lent);
    keep(&change);
    keep(&boxed);
    keep(&boxed_slice);
    keep(&boxed_text);
    keep(&shared);
    keep(&other);
    keep(&weak);
    keep(&atomic);
    keep(&arc_text);
    keep(&arc_slice);
    keep(&gone);
    keep(&never);
    keep(&one);
    keep(&pair);
    keep(&told);
    keep(&round);
    keep(&cell);
    keep(&borrowed);
    keep(&list);
    keep(&raw);
    keep(&nothing);
    keep(&numbers);
    keep(&none);
    keep(&multibyte);
    keep(&function);
    keep(&closure);
    keep(&tree);
    SINK.store(std::ptr::null_mut(), Ordering::Relaxed); // pointers are set
    keep(&tree);
    keep(words);
    keep(name);
    keep(speaker);
    round.next.replace(None);
    closure(speaker.speak() as u64) + lent.scaled(3).x as u64
}

pub struct Maps {
    pub none: HashMap<u32, u32>,
    pub ages: HashMap<String, u32>,
    pub squares: HashMap<u32, u64>,
    pub seen: HashSet<char>,
    pub tree: BTreeMap<u32, Point>,
    pub few: BTreeMap<String, Vec<u8>>,
    pub bare: BTreeMap<u8, u8>,
    pub order: BTreeSet<i64>,
    pub deep: BTreeMap<u64, Option<Box<u32>>>,
    pub sparse: HashMap<u16, Point>,
    pub lists: HashMap<u8, Vec<String>>,
    pub holes: BTreeMap<u32, char>,
}

fn maps() -> Maps {
    let names = ["anna", "bruno", "chiara"];
    Maps {
        none: HashMap::new(),
        ages: names.iter().enumerate().map(|(i, name)| (name.to_string(), i as u32)).collect(),
        squares: (0..15).map(|i| (i, i as u64 * i as u64)).collect(),
        seen: "abc€".chars().collect(),
        tree: (0..18).map(|i| (i, Point { x: i as i32, y: -(i as i32) })).collect(),
        few: names.iter().map(|name| (name.to_string(), name.as_bytes().to_vec())).collect(),
        bare: BTreeMap::new(),
        order: [5, -5, 50].into_iter().collect(),
        deep: (0..1000).map(|i| (i * 3, if i % 2 == 0 { Some(Box::new(i as u32)) } else { None })).collect(),
        sparse: {
            let mut sparse = HashMap::with_capacity(900);
            sparse.extend((0..3).map(|i| (i, Point { x: i as i32, y: 7 })));
            sparse
        },
        lists: (0..3).map(|i| (i, names[..i as usize].iter().map(|n| n.to_string()).collect())).collect(),
        holes: {
            let mut holes: BTreeMap<u32, char> = (0..200).map(|i| (i, 'h')).collect();
            holes.retain(|i, _| i % 7 == 0);
            holes
        },
    }
}

// Three in a circle.
pub struct Ring {
    pub number: u32,
    pub next: RefCell<Option<Rc<Ring>>>,
}

fn circle() -> Rc<Ring> {
    let link = |number, next| Rc::new(Ring { number, next: RefCell::new(next) });
    let last = link(3, None);
    let first = link(1, Some(link(2, Some(Rc::clone(&last)))));
    *last.next.borrow_mut() = Some(Rc::clone(&first));
    first
}

#[inline(never)]
fn containers(which: u64, kept: &Maps) -> u64 {
    let empty: Vec<u32> = Vec::new();
    let numbers = vec![1u64, 2, 3];
    let many: Vec<u32> = (0..100).collect();
    let points = vec![Point { x: 1, y: 2 }, Point { x: 3, y: 4 }];
    let texts = vec!["one".to_string(), "two".to_string()];
    let maybe = vec![Some(1u32), None, Some(3)];
    let rows = vec![vec![1u8, 2], vec![], vec![3]];
    let units = vec![(), (), ()];
    let text = String::from("text of a String");
    let silent = String::new();
    let long = "x".repeat(300);
    let ring: VecDeque<u32> = {
        let mut ring: VecDeque<u32> = VecDeque::with_capacity(4);
        ring.extend([1, 2, 3]);
        ring.pop_front();
        ring.push_back(4);
        ring.push_back(5);
        ring
    };
    let turned: VecDeque<String> = {
        let mut turned: VecDeque<String> = VecDeque::with_capacity(3);
        turned.extend(["b", "c"].map(String::from));
        turned.push_front("a".to_string());
        turned
    };
    let bare: VecDeque<u64> = VecDeque::new();
    let squares = kept.squares.clone();
    let few = kept.few.clone();
    let middle = &many[10..10 + which as usize % 5];
    keep(&empty);
    keep(&numbers);
    keep(&many);
    keep(&points);
    keep(&texts);
    keep(&maybe);
    keep(&rows);
    keep(&units);
    keep(&text);
    keep(&silent);
    keep(&long);
    keep(&ring);
    keep(&turned);
    keep(&bare);
    keep(&squares);
    keep(&few);
    keep(&middle);
    SINK.store(std::ptr::null_mut(), Ordering::Relaxed); // containers are set
    keep(&many);
    keep(kept);
    numbers.len() as u64 + text.len() as u64
}

#[inline(never)]
fn hashes(which: u64, kept: &Maps) -> u64 {
    let (none, ages, squares) = (&kept.none, &kept.ages, &kept.squares);
    let (seen, sparse, lists) = (&kept.seen, &kept.sparse, &kept.lists);
    keep(&none);
    keep(&ages);
    keep(&squares);
    keep(&seen);
    keep(&sparse);
    keep(&lists);
    SINK.store(std::ptr::null_mut(), Ordering::Relaxed); // hashes are set
    keep(kept);
    which + squares.len() as u64
}

#[inline(never)]
fn trees(which: u64, kept: &Maps) -> u64 {
    let (tree, few, bare) = (&kept.tree, &kept.few, &kept.bare);
    let (order, deep, holes) = (&kept.order, &kept.deep, &kept.holes);
    keep(&tree);
    keep(&few);
    keep(&bare);
    keep(&order);
    keep(&deep);
    keep(&holes);
    SINK.store(std::ptr::null_mut(), Ordering::Relaxed); // trees are set
    keep(kept);
    which + tree.len() as u64
}

pub mod inner {
    use super::{keep, Point};

    #[inline(always)]
    pub fn doubled(point: &Point) -> i32 {
        let twice = point.x * 2;
        keep(&twice); // inlined into its caller
        twice + 1
    }

    #[inline(never)]
    pub fn generic<T: Copy + Into<i64>>(value: T) -> i64 {
        let wide: i64 = value.into();
        keep(&wide); // once for each type
        wide + 1
    }
}

#[inline(never)]
fn stacked(depth: u32, which: u64) -> u64 {
    let point = Point { x: depth as i32, y: which as i32 };
    if depth == 0 {
        return inner::doubled(&point) as u64;
    }
    keep(&point);
    let below = [1u64, 2].iter().map(|each| each * stacked(depth - 1, which)).sum::<u64>();
    below + depth as u64
}

#[inline(never)]
fn round(which: u64, kept: &Maps, words: &[String]) -> u64 {
    let point = Point { x: 3, y: 4 };
    let mut sum = scalars(which) + enums(which) + containers(which, kept);
    sum += pointers(which, words, "a name", &point) + stacked(2, which);
    sum += hashes(which, kept) + trees(which, kept);
    sum + inner::generic(3i32) as u64 + inner::generic(4u8) as u64
}

fn work(which: u64) -> u64 {
    let kept = maps();
    let words = vec!["alpha".to_string(), "beta".to_string()];
    let expected = round(which, &kept, &words);
    let mut wrong = 0;
    while !ENDED.load(Ordering::Relaxed) {
        if round(which, &kept, &words) != expected {
            wrong += 1;
        }
        ROUNDS.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(2));
    }
    wrong
}

fn main() {
    let argument = |at| std::env::args().nth(at).and_then(|text| text.parse().ok());
    let which: u64 = argument(1).unwrap_or(0);
    let threads: u64 = argument(2).unwrap_or(1);
    unsafe {
        signal(15, on_term);
        TOTAL += which;
    }
    println!("ready");
    let others: Vec<_> = (1..threads).map(|_| std::thread::spawn(move || work(which))).collect();
    let wrong = work(which) + others.into_iter().map(|each| each.join().unwrap()).sum::<u64>();
    println!("rounds {} wrong {}", ROUNDS.load(Ordering::Relaxed), wrong);
    std::process::exit(if wrong == 0 { 0 } else { 1 });
}
