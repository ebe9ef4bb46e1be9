// SPDX-License-Identifier: BSD-2-Clause
//! The checks a case makes. Each panics with the reason; the runner adds file and line of the
//! check.

/// Fails the case unless the condition holds: `require!(cond)` or `require!(cond, "why {x}")`.
#[macro_export]
macro_rules! require {
    ($cond:expr $(,)?) => {
        if !$cond {
            panic!("{} not met", stringify!($cond));
        }
    };
    ($cond:expr, $($why:tt)+) => {
        if !$cond {
            panic!("{} not met: {}", stringify!($cond), format_args!($($why)+));
        }
    };
}

/// Fails the case unless both sides are equal; shows both. A message may follow.
#[macro_export]
macro_rules! require_eq {
    ($left:expr, $right:expr $(,)?) => {
        match (&$left, &$right) {
            (left, right) => {
                if *left != *right {
                    panic!("{} is {:?}, expected {:?}", stringify!($left), left, right);
                }
            }
        }
    };
    ($left:expr, $right:expr, $($why:tt)+) => {
        match (&$left, &$right) {
            (left, right) => {
                if *left != *right {
                    panic!("{} is {:?}, expected {:?}: \
                        {}", stringify!($left), left, right, format_args!($($why)+));
                }
            }
        }
    };
}

/// Fails the case unless the expression (a [`Sys`](crate::Sys)) is `Ok`; gives its value.
#[macro_export]
macro_rules! require_ok {
    ($expr:expr $(,)?) => {
        match $expr {
            Ok(value) => value,
            Err(error) => panic!("{} gave: {}", stringify!($expr), error),
        }
    };
}

/// Fails the case unless the expression (a [`Sys`](crate::Sys)) is an error with just this errno.
#[macro_export]
macro_rules! require_errno {
    ($expr:expr, $errno:expr $(,)?) => {
        match $expr {
            Err($crate::Errno(errno)) if errno == $errno => {}
            Err(errno) => panic!(
                "{} gave: {}, expected {}",
                stringify!($expr),
                errno,
                stringify!($errno)
            ),
            Ok(_) => panic!(
                "{} succeeded, expected {}",
                stringify!($expr),
                stringify!($errno)
            ),
        }
    };
}

/// Ends the case as skipped, with the reason.
#[macro_export]
macro_rules! skip {
    ($($why:tt)+) => {
        ::std::panic::panic_any($crate::Skip(format!($($why)+)))
    };
}

/// One test case: `case!("name", "what it shows", |ctx| { ... })`. Metadata is added by the methods
/// of [`Case`](crate::Case).
#[macro_export]
macro_rules! case {
    ($name:expr, $descr:expr, $body:expr $(,)?) => {
        $crate::Case::new($name, $descr, $body)
    };
}
