//! Which routes can take a request at all, found without asking every route.
//!
//! Routes hang in a trie over host labels (from the right) whose leaves are tries over path
//! segments. A lookup walks both and gives sorted lists of positions, which [`Candidates`] merges:
//! the order of the table is kept, whatever the index looks like. The index may name a route that
//! does not match, never miss one that does; the predicates decide, unless the shape of a path is
//! all that a route asks for.
//!
//! A lookup in a large table costs what it takes from memory, so names and short lists are stored
//! in place.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use rustc_hash::FxHasher;
use smallvec::SmallVec;

use crate::predicate::{Hint, Incoming, MethodSet, Piece, RequestPath, Shape};
use crate::route::Route;

/// A route's position in the table, and the methods it can take.
#[derive(Debug, Clone, Copy)]
struct Entry {
    position: usize,
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
    literal: Children,
    any: Option<usize>,
    /// Values of shapes that end here.
    exact: SmallVec<[T; 1]>,
    /// Values of shapes that may go on in any way.
    open: SmallVec<[T; 1]>,
}

/// Children by name. Only route files add names, so nobody can make them collide.
type Children = HashMap<Name, usize, BuildHasherDefault<FxHasher>>;

/// A segment or label, in place if it is short.
type Name = SmallVec<[u8; 16]>;

impl<T> Default for Node<T> {
    fn default() -> Self {
        let (exact, open) = (SmallVec::new(), SmallVec::new());
        Self { literal: Children::default(), any: None, exact, open }
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
    pub(super) fn new(routes: &[Arc<Route>]) -> Self {
        let mut index = Self { hosts: Trie::default(), groups: vec![Trie::default()] };
        let mut known_hosts: HashMap<Shape, usize> = HashMap::new();
        let everything = [Shape { pieces: Vec::new(), open: true }];
        for (position, route) in routes.iter().enumerate() {
            let mut methods = MethodSet::ANY;
            let mut paths: &[Shape] = &everything;
            let mut hosts: Option<&[Shape]> = None;
            for predicate in &route.predicates {
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
        for piece in &shape.pieces {
            at = self.step(at, piece);
        }
        if let Some(node) = self.nodes.get_mut(at) {
            if shape.open { node.open.push(value) } else { node.exact.push(value) }
        }
    }

    /// The child of `at` for `piece`, made if there is none.
    fn step(&mut self, at: usize, piece: &Piece) -> usize {
        let next = self.nodes.len();
        let Some(node) = self.nodes.get_mut(at) else { return at };
        let child = match piece {
            Piece::Any => *node.any.get_or_insert(next),
            Piece::Literal(text) => {
                *node.literal.entry(Name::from_slice(text.as_bytes())).or_insert(next)
            }
        };
        if child == next {
            self.nodes.push(Node::default());
        }
        child
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
            let mut child = None;
            decode(piece.as_ref(), &mut |text| {
                child = node.literal.get(text.as_bytes()).copied();
            });
            if let Some(child) = child {
                self.walk(child, pieces.clone(), decode, lists);
            }
        }
        if let Some(any) = node.any {
            self.walk(any, pieces, decode, lists);
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
                return Some(Candidate { position, is_decided });
            }
        }
    }
}
