//! The service `com.redhat.accounts`, and its methods for clients.

use heapless::{String, Vec};
use nullink::json::{List, Value};
use nullink::{Answer, Call, Info, Interface, Method, Responder, Service, interface};
use serde::{Deserialize, Serialize};

/// An entry of the user database.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account<'a> {
    pub name: &'a str,
    pub uid: u32,
    pub gid: u32,
    pub full_name: &'a str,
    pub home: &'a str,
    pub shell: &'a str,
}

impl<'a> Account<'a> {
    /// Parses a line of /etc/passwd: passwd(5).
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = fields(line);
        let (name, _password) = (fields.next()?, fields.next()?);
        Some(Account {
            name,
            uid: fields.next()?.parse().ok()?,
            gid: fields.next()?.parse().ok()?,
            full_name: before_comma(fields.next()?),
            home: fields.next()?,
            shell: fields.next()?,
        })
    }
}

/// Returns the full name from a GECOS field: the part before the first comma.
fn before_comma(field: &str) -> &str {
    let end = field.bytes().position(|byte| byte == b',');
    end.and_then(|end| field.get(..end)).unwrap_or(field)
}

/// Returns the fields of a line, up to the first that is not UTF-8.
fn fields(line: &[u8]) -> impl Iterator<Item = &str> {
    let fields = line.split(|byte| *byte == b':');
    fields.map_while(|field| core::str::from_utf8(field).ok())
}

/// The methods, defined once for both sides: the service decodes calls into this enum, and the
/// client makes calls with the types in its variants.
#[derive(Deserialize)]
pub enum Methods<'a> {
    GetAll,
    GetByUid(GetByUid),
    #[serde(borrow)]
    GetByName(GetByName<'a>),
    #[serde(borrow)]
    Add(Add<'a>),
}

#[derive(Serialize)]
pub struct GetAll;

#[derive(Serialize, Deserialize)]
pub struct GetByUid {
    pub uid: u32,
}

#[derive(Serialize, Deserialize)]
pub struct GetByName<'a> {
    pub name: &'a str,
}

#[derive(Serialize, Deserialize)]
pub struct Add<'a> {
    #[serde(borrow)]
    pub account: Account<'a>,
}

/// The reply to all methods except GetAll.
#[derive(Debug, Serialize, Deserialize)]
pub struct Found<'a> {
    #[serde(borrow)]
    pub account: Account<'a>,
}

#[derive(Serialize)]
struct All<L> {
    accounts: L,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Error<'a> {
    NotFound,
    CreationFailed { field: &'a str },
}

impl Method for GetAll {
    const NAME: &'static str = "com.redhat.accounts.GetAll";
    type Output<'r> = Value<'r>;
    type Error<'r> = Error<'r>;
}

impl Method for GetByUid {
    const NAME: &'static str = "com.redhat.accounts.GetByUid";
    type Output<'r> = Found<'r>;
    type Error<'r> = Error<'r>;
}

impl Method for GetByName<'_> {
    const NAME: &'static str = "com.redhat.accounts.GetByName";
    type Output<'r> = Found<'r>;
    type Error<'r> = Error<'r>;
}

impl Method for Add<'_> {
    const NAME: &'static str = "com.redhat.accounts.Add";
    type Output<'r> = Found<'r>;
    type Error<'r> = Error<'r>;
}

/// The service: the contents of /etc/passwd and /etc/group, and the added accounts.
pub struct Accounts<'t> {
    pub passwd: &'t [u8],
    pub group: &'t [u8],
    pub added: Vec<Added, MAX_ADDED>,
}

/// The number of accounts that can be added.
pub const MAX_ADDED: usize = 16;

/// An added account.
#[derive(Clone)]
pub struct Added {
    name: String<32>,
    uid: u32,
    gid: u32,
    full_name: String<64>,
    home: String<64>,
    shell: String<64>,
}

impl Added {
    /// Copies an account. If a field is too long, returns the name of that field.
    fn new(account: &Account<'_>) -> Result<Self, &'static str> {
        Ok(Added {
            name: account.name.try_into().map_err(|_| "name")?,
            uid: account.uid,
            gid: account.gid,
            full_name: account.full_name.try_into().map_err(|_| "full_name")?,
            home: account.home.try_into().map_err(|_| "home")?,
            shell: account.shell.try_into().map_err(|_| "shell")?,
        })
    }

    fn account(&self) -> Account<'_> {
        Account {
            name: &self.name,
            uid: self.uid,
            gid: self.gid,
            full_name: &self.full_name,
            home: &self.home,
            shell: &self.shell,
        }
    }
}

impl<'t> Accounts<'t> {
    pub fn new(passwd: &'t [u8], group: &'t [u8]) -> Self {
        Accounts {
            passwd,
            group,
            added: Vec::new(),
        }
    }

    /// Returns all accounts. /etc/passwd is parsed each time, so that nothing else is stored.
    fn all(&self) -> impl Iterator<Item = Account<'_>> + Clone {
        let lines = self.passwd.split(|byte| *byte == b'\n');
        lines
            .filter_map(Account::parse)
            .chain(self.added.iter().map(Added::account))
    }

    /// Returns the first account that matches.
    fn find(&self, matches: &dyn Fn(&Account<'_>) -> bool) -> Option<Account<'_>> {
        self.all().find(|account| matches(account))
    }

    /// True if /etc/group has a group with this ID: group(5).
    fn has_group(&self, gid: u32) -> bool {
        let lines = self.group.split(|byte| *byte == b'\n');
        lines
            .filter_map(|line| fields(line).nth(2))
            .any(|group| group.parse() == Ok(gid))
    }

    /// Adds an account. If it cannot be added, returns the name of the offending field.
    fn add(&mut self, account: &Account<'_>) -> Result<(), &'static str> {
        let name = account.name;
        if name.is_empty()
            || name.bytes().any(|byte| matches!(byte, b':' | b'\n'))
            || self.find(&|other| other.name == name).is_some()
        {
            Err("name")
        } else if self.find(&|other| other.uid == account.uid).is_some() {
            Err("uid")
        } else if !self.has_group(account.gid) {
            Err("gid")
        } else {
            let added = Added::new(account)?;
            self.added.push(added).map_err(|_| "account")
        }
    }
}

impl Service for Accounts<'_> {
    const INTERFACES: &'static [Interface] = &[interface!("com.redhat.accounts.varlink")];

    fn info(&self) -> Info<'_> {
        Info {
            vendor: "Nullink",
            product: "Accounts",
            version: env!("CARGO_PKG_VERSION"),
            url: "https://varlink.org",
        }
    }

    fn call<'c>(&mut self, call: Call<'c>, reply: Responder<'c>) -> Answer<'c> {
        let found = match call.decode()? {
            Methods::GetAll => {
                let accounts = List(self.all());
                return reply.send(&All { accounts });
            }
            Methods::GetByUid(GetByUid { uid }) => self.find(&|account| account.uid == uid),
            Methods::GetByName(GetByName { name }) => self.find(&|account| account.name == name),
            Methods::Add(Add { account }) => match self.add(&account) {
                Ok(()) => Some(account),
                Err(field) => return reply.error(&Error::CreationFailed { field }),
            },
        };
        match found {
            Some(account) => reply.send(&Found { account }),
            None => reply.error(&Error::NotFound),
        }
    }
}
