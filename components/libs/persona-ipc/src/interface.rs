//! The interface macro and the two ways to call.

use alloc::rc::Rc;
use core::cell::{RefCell, RefMut};

use crate::{Message, Reader, Writer};

/// A server that lives in this domain, shared by its callers. Calls go one way down the component graph, so a server is
/// never entered twice.
pub struct Shared<S: ?Sized>(Rc<RefCell<S>>);

impl<S> Shared<S> {
    /// Puts a server behind a shared handle.
    pub fn new(server: S) -> Self {
        Shared(Rc::new(RefCell::new(server)))
    }
}

impl<S: ?Sized> Shared<S> {
    /// The server itself.
    ///
    /// # Panics
    /// If a call comes back up the component graph, which the manifest compiler refuses.
    #[inline]
    pub fn server(&self) -> RefMut<'_, S> {
        self.0.borrow_mut()
    }
}

impl<S: ?Sized> Shared<S> {
    /// The server itself, unless it is running.
    pub fn try_server(&self) -> Option<RefMut<'_, S>> {
        self.0.try_borrow_mut().ok()
    }
}

impl<S: ?Sized> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Shared(Rc::clone(&self.0))
    }
}

/// Carries a request to a server in another domain and its reply back.
pub trait Transport {
    /// Writes a request with `put`, calls, and reads the reply with `get`. `None` if the server could not be reached or
    /// answered something that does not decode.
    fn exchange<R>(
        &self,
        label: u32,
        put: impl FnOnce(&mut Writer<'_>),
        get: impl FnOnce(&mut Reader<'_>) -> Option<R>,
    ) -> Option<R>;
}

impl<F: Fn(&mut Message)> Transport for F {
    fn exchange<R>(
        &self,
        label: u32,
        put: impl FnOnce(&mut Writer<'_>),
        get: impl FnOnce(&mut Reader<'_>) -> Option<R>,
    ) -> Option<R> {
        let mut message = Message::new();
        let mut writer = message.writer();
        put(&mut writer);
        if writer.overflowed() {
            return None;
        }
        message.label = label;
        self(&mut message);
        if message.label == crate::SERVED {
            get(&mut message.reader())
        } else {
            None
        }
    }
}

/// Declares an interface; see the crate's documentation. Every method returns `Result<T, Errno>`; a server that cannot be
/// reached answers `EIO`.
#[macro_export]
macro_rules! interface {
    (
        $(#[$meta:meta])*
        pub interface $name:ident, $service:ident, $client:ident, $dispatch:ident {
            $(
                $(#[$mmeta:meta])*
                $label:literal => fn $method:ident( $($arg:ident : $ty:ty),* $(,)? ) -> $ret:ty;
            )*
        }
    ) => {
        $(#[$meta])*
        pub trait $name {
            $(
                $(#[$mmeta])*
                fn $method(&self, $($arg: $ty),*) -> Result<$ret, $crate::reexport::Errno>;
            )*
        }

        /// What the server of the interface implements; the methods are those of the interface.
        #[allow(missing_docs)]
        pub trait $service {
            $( fn $method(&mut self, $($arg: $ty),*) -> Result<$ret, $crate::reexport::Errno>; )*
        }

        impl<S: $service> $name for $crate::Shared<S> {
            $(
                #[inline]
                fn $method(&self, $($arg: $ty),*) -> Result<$ret, $crate::reexport::Errno> {
                    self.server().$method($($arg),*)
                }
            )*
        }

        /// Calls the interface in another domain.
        #[derive(Clone)]
        pub struct $client<T>(pub T);

        impl<T: $crate::Transport> $name for $client<T> {
            $(
                fn $method(&self, $($arg: $ty),*) -> Result<$ret, $crate::reexport::Errno> {
                    self.0
                        .exchange(
                            $label,
                            |_w| { $( $crate::Wire::put(&$arg, _w); )* },
                            |r| <Result<$ret, $crate::reexport::Errno> as $crate::Wire>::get(r),
                        )
                        .unwrap_or(Err($crate::reexport::Errno::EIO))
                }
            )*
        }

        /// Serves one request of the interface: decodes `message`, calls the method, leaves the reply in `message`.
        // Two methods of one number would be one method.
        #[deny(unreachable_patterns)]
        pub fn $dispatch<S: $service + ?Sized>(service: &mut S, message: &mut $crate::Message) {
            match message.label {
                $(
                    $label => {
                        let mut _r = message.reader();
                        let result = (|| -> Option<Result<$ret, $crate::reexport::Errno>> {
                            $( let $arg = <$ty as $crate::Wire>::get(&mut _r)?; )*
                            Some(service.$method($($arg),*))
                        })();
                        match result {
                            Some(result) => {
                                $crate::Wire::put(&result, &mut message.writer());
                                message.label = $crate::SERVED;
                            }
                            None => {
                                message.len = 0;
                                message.cap = None;
                                message.label = $crate::BAD_MESSAGE;
                            }
                        }
                    }
                )*
                _ => {
                    message.len = 0;
                    message.cap = None;
                    message.label = $crate::BAD_MESSAGE;
                }
            }
        }
    };
}
