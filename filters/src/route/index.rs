//! Which routes can take a request at all, found without asking every route.
//!
//! Routes hang in a trie over host labels (from the right) whose leaves are tries over path
//! segments. A lookup walks both and gives sorted lists of positions, which [`Candidates`] merges:
//! the order of the table is kept, whatever the index looks like. The index may name a route that
//! does not match, never miss one that does; the predicates decide, unless the shape of a path is
//! all that a route asks for.
//!
//! A lookup in a large table costs what it has to get from memory. So a branch holds its name, and
//! also its route if that is all there is behind it, as at the end of most paths.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::slice;

use rustc_hash::FxHasher;
use smallvec::SmallVec;

use crate::predicate::{Hint, Incoming, MethodSet, Piece, RequestPath, Shape};
use crate::route::Row;

/// A route's position in the table, and the methods it can take.
#[derive(Debug, Clone, Copy)]
struct Entry {
    position: u32,
    methods: MethodSet,
    is_decided: bool,
}

/// A route that may take a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    /// Its position in the table.
    pub(super) position: usize,
    /// Whether it does take it: its predicates need not be asked.
    pub(super) is_decided: bool,
}

/// The candidates of a table by host, path and method.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Host shapes to positions in `groups`.
    hosts: Trie<usize>,
    /// One path trie for each host shape; the first is for routes that ask for no host.
    groups: Vec<Trie<Entry>>,
}

/// A trie over pieces of text.
#[derive(Debug)]
struct Trie<T> {
    nodes: Vec<Node<T>>,
}

#[derive(Debug)]
struct Node<T> {
    literal: Branches<T>,
    any: Option<Branch<T>>,
    /// Values of shapes that end here.
    exact: SmallVec<[T; 1]>,
    /// Values of shapes that may go on in any way.
    open: SmallVec<[T; 1]>,
}

/// Where a piece leads.
#[derive(Debug, Clone, Copy)]
enum Branch<T> {
    /// To the only value, of a shape that may go on in any way.
    Open(T),
    /// To a node.
    Node(u32),
}

/// Branches by name. Only route files add names, so nobody can make them collide.
type Branches<T> = HashMap<Name, Branch<T>, BuildHasherDefault<FxHasher>>;

/// A segment or label, in place if it is short.
type Name = SmallVec<[u8; 16]>;

impl<T> Default for Node<T> {
    fn default() -> Self {
        let (exact, open) = (SmallVec::new(), SmallVec::new());
        Self { literal: Branches::default(), any: None, exact, open }
    }
}

impl<T> Default for Trie<T> {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

type Lists<'t, T> = SmallVec<[&'t [T]; 8]>;

impl Index {
    /// Builds the index over routes in the order of the table.
    pub(super) fn new<P>(rows: &[Row<P>]) -> Self {
        let mut index = Self { hosts: Trie::default(), groups: vec![Trie::default()] };
        let mut known_hosts: HashMap<Shape, usize> = HashMap::new();
        let everything = [Shape { pieces: Vec::new(), open: true }];
        for (position, Row { route, .. }) in (0..).zip(rows) {
            let mut methods = MethodSet::ANY;
            let mut paths: &[Shape] = &everything;
            let mut hosts: Option<&[Shape]> = None;
            for predicate in route.predicates.iter() {
                match predicate.hint() {
                    Hint::Methods(set) => methods = methods.and(set),
                    Hint::Paths(shapes) => paths = shapes,
                    Hint::Hosts(shapes) => hosts = Some(shapes),
                    Hint::Weight { .. } | Hint::None => {}
                }
            }
            let is_decided = matches!(&*route.predicates, [only] if only.is_its_hint());
            let entry = Entry { position, methods, is_decided };
            let Some(hosts) = hosts else {
                index.insert(0, paths, entry);
                continue;
            };
            for host in hosts {
                let group = *known_hosts.entry(host.clone()).or_insert_with(|| {
                    index.groups.push(Trie::default());
                    let group = index.groups.len() - 1;
                    index.hosts.insert(host, group);
                    group
                });
                index.insert(group, paths, entry);
            }
        }
        index
    }

    fn insert(&mut self, group: usize, paths: &[Shape], entry: Entry) {
        if let Some(trie) = self.groups.get_mut(group) {
            for path in paths {
                trie.insert(path, entry);
            }
        }
    }

    /// The positions of all routes that may take the request, ascending.
    pub(super) fn candidates(&self, incoming: &Incoming<'_>) -> Candidates<'_> {
        let methods = match MethodSet::of(incoming.method()) {
            // A method outside the eight: only the predicates can tell.
            set if set == MethodSet::default() => MethodSet::ANY,
            set => set,
        };
        let path = incoming.path();
        let mut lists = Lists::new();
        if let Some(trie) = self.groups.first() {
            trie.find_path(path, &mut lists);
        }
        if let (true, Some(host)) = (self.groups.len() > 1, incoming.host()) {
            let mut groups = Lists::new();
            // An empty label takes no part in matching, so it takes none in looking up.
            self.hosts.find(host.rsplit('.').filter(|label| !label.is_empty()), &mut groups);
            for group in groups.iter().copied().flatten() {
                if let Some(trie) = self.groups.get(*group) {
                    trie.find_path(path, &mut lists);
                }
            }
        }
        Candidates { lists, methods }
    }
}

impl<T: Copy> Trie<T> {
    fn insert(&mut self, shape: &Shape, value: T) {
        let mut at = 0;
        let mut pieces = shape.pieces.iter().peekable();
        while let Some(piece) = pieces.next() {
            let is_last = shape.open && pieces.peek().is_none();
            let Some(next) = self.step(at, piece, is_last.then_some(value)) else { return };
            at = next;
        }
        if let Some(node) = self.nodes.get_mut(at) {
            if shape.open { node.open.push(value) } else { node.exact.push(value) }
        }
    }

    /// The node behind `at` for `piece`, made if there is none; `None` if `last` found its place in
    /// the branch.
    fn step(&mut self, at: usize, piece: &Piece, last: Option<T>) -> Option<usize> {
        let new = self.nodes.len();
        let node = self.nodes.get_mut(at)?;
        let known = match piece {
            Piece::Any => node.any,
            Piece::Literal(text) => node.literal.get(text.as_bytes()).copied(),
        };
        let (branch, made) = match (known, last) {
            (Some(Branch::Node(known)), _) => return usize::try_from(known).ok(),
            (None, Some(value)) => (Branch::Open(value), None),
            (None, None) => (Branch::Node(u32::try_from(new).ok()?), Some(Node::default())),
            (Some(Branch::Open(value)), _) => {
                let node = Node { open: SmallVec::from([value]), ..Node::default() };
                (Branch::Node(u32::try_from(new).ok()?), Some(node))
            }
        };
        match piece {
            Piece::Any => node.any = Some(branch),
            Piece::Literal(text) => {
                node.literal.insert(Name::from_slice(text.as_bytes()), branch);
            }
        }
        self.nodes.push(made?);
        Some(new)
    }

    fn find<'t>(
        &'t self,
        pieces: impl Iterator<Item: AsRef<str>> + Clone,
        lists: &mut Lists<'t, T>,
    ) {
        self.walk(0, pieces, &|piece, found| found(piece), lists);
    }

    fn find_path<'t>(&'t self, path: RequestPath<'_>, lists: &mut Lists<'t, T>) {
        let Some(segments) = path.0.strip_prefix('/') else {
            return self.walk(0, std::iter::empty::<&str>(), &|piece, found| found(piece), lists);
        };
        let decode = |segment: &str, found: &mut dyn FnMut(&str)| {
            found(&RequestPath::segment_value(segment));
        };
        self.walk(0, segments.split('/'), &decode, lists);
    }

    fn walk<'t>(
        &'t self,
        at: usize,
        mut pieces: impl Iterator<Item: AsRef<str>> + Clone,
        decode: &impl Fn(&str, &mut dyn FnMut(&str)),
        lists: &mut Lists<'t, T>,
    ) {
        let Some(node) = self.nodes.get(at) else { return };
        if !node.open.is_empty() {
            lists.push(&node.open);
        }
        let piece = pieces.next();
        // A path may have one slash more than its pattern (Spring Cloud Gateway up to 4.x).
        let ends_here = piece
            .as_ref()
            .is_none_or(|piece| piece.as_ref().is_empty() && pieces.clone().next().is_none());
        if ends_here && !node.exact.is_empty() {
            lists.push(&node.exact);
        }
        let Some(piece) = piece else { return };
        if !node.literal.is_empty() {
            let mut branch = None;
            decode(piece.as_ref(), &mut |text| branch = node.literal.get(text.as_bytes()));
            if let Some(branch) = branch {
                self.follow(branch, pieces.clone(), decode, lists);
            }
        }
        if let Some(any) = &node.any {
            self.follow(any, pieces, decode, lists);
        }
    }

    fn follow<'t>(
        &'t self,
        branch: &'t Branch<T>,
        pieces: impl Iterator<Item: AsRef<str>> + Clone,
        decode: &impl Fn(&str, &mut dyn FnMut(&str)),
        lists: &mut Lists<'t, T>,
    ) {
        match branch {
            Branch::Open(value) => lists.push(slice::from_ref(value)),
            Branch::Node(at) => {
                self.walk(usize::try_from(*at).unwrap_or(usize::MAX), pieces, decode, lists);
            }
        }
    }
}

/// Merges sorted lists of positions.
#[derive(Debug)]
pub(super) struct Candidates<'t> {
    lists: Lists<'t, Entry>,
    methods: MethodSet,
}

impl Iterator for Candidates<'_> {
    type Item = Candidate;

    fn next(&mut self) -> Option<Candidate> {
        loop {
            let next = self.lists.iter().filter_map(|list| list.first()).min_by_key(|e| e.position);
            let Entry { position, methods, is_decided } = *next?;
            for list in &mut self.lists {
                while let Some((first, rest)) = list.split_first()
                    && first.position == position
                {
                    *list = rest;
                }
            }
            if methods.intersects(self.methods) {
                let position = usize::try_from(position).unwrap_or(usize::MAX);
                return Some(Candidate { position, is_decided });
            }
        }
    }
}
