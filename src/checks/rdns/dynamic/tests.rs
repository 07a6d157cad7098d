//! Names in the shapes that providers give, and names that must not be taken for such.

use proptest::prelude::*;

use super::*;

/// Names that providers give to connections they number through, with the address.
const DYNAMIC: &[(&str, &str)] = &[
    // The whole address, in decimal.
    ("192-0-2-17.example.net", "192.0.2.17"),
    ("192.0.2.17.isp.example.com", "192.0.2.17"),
    ("host-192-0-2-17.bigtelecom.ru", "192.0.2.17"),
    ("host192-0-2-17.hnet.ru", "192.0.2.17"),
    ("pool-98-109-12-34.nwrknj.fios.verizon.net", "98.109.12.34"),
    ("c-71-56-12-34.hsd1.ga.comcast.net", "71.56.12.34"),
    ("cpe-76-90-12-34.socal.res.rr.com", "76.90.12.34"),
    ("ip-178-200-12-34.hsi07.unitymediagroup.de", "178.200.12.34"),
    (
        "host86-150-12-34.range86-150.btcentralplus.com",
        "86.150.12.34",
    ),
    ("86.150.12.34.threembb.co.uk", "86.150.12.34"),
    ("12-34-56-78.lightspeed.irvnca.sbcglobal.net", "12.34.56.78"),
    ("adsl-12-34-56-78.dsl.bcvloh.sbcglobal.net", "12.34.56.78"),
    ("adsl-ip-12.34.56.78.cotas.com.bo", "12.34.56.78"),
    ("triband-mum-59.182.12.34.mtnl.net.in", "59.182.12.34"),
    ("126x12x13x14.ap126.ftth.ucom.ne.jp", "126.12.13.14"),
    ("acces_201_12_13_14.isp.com.ar", "201.12.13.14"),
    ("189-12-13-14.user.veloxzone.com.br", "189.12.13.14"),
    ("201-12-13-14.dsl.telesp.net.br", "201.12.13.14"),
    ("bl12-13-14-15.dsl.telepac.pt", "12.13.14.15"),
    ("abts-north-12.13.14.15.airtelbroadband.in", "12.13.14.15"),
    ("user-24-96-12-13.knology.net", "24.96.12.13"),
    ("h-62-63-12-13.na.cust.bahnhof.se", "62.63.12.13"),
    ("dsl-hkibng42-56733b-12.dhcp.inet.fi", "86.115.59.12"),
    ("modemcable013.12-57-74.mc.videotron.ca", "74.57.12.13"),
    // Backwards, or with the last octet in front.
    ("17.2.0.192.in-addr.modem.ru", "192.0.2.17"),
    ("17-2-0-192.cable.example.com", "192.0.2.17"),
    ("34.12.109.98.adsl-pool.sx.cn", "98.109.12.34"),
    ("85.pool85-49-12.dynamic.orange.es", "85.49.12.85"),
    ("12.sub-70-192-33.myvzw.com", "70.192.33.12"),
    ("34.12-200-80.adsl-dyn.isp.belgacom.be", "80.200.12.34"),
    ("34-12.109-98.tampabay.res.rr.com", "98.109.12.34"),
    ("78.56.34.12.rev.isp.example.net", "12.34.56.78"),
    // Zero-padded or run together.
    ("192-000-002-017.example.net", "192.0.2.17"),
    ("hsi-kbw-078-042-012-034.hsi4.kabelbw.de", "78.42.12.34"),
    ("h192000002017.example.net", "192.0.2.17"),
    ("host-017002000192.example.net", "192.0.2.17"),
    ("p1921681217.example.com", "192.168.12.17"),
    ("ip1722161217.users.isp.example.org", "172.216.12.17"),
    ("user-172216012017.isp.example.org", "172.216.12.17"),
    ("3221225985.isp.example.net", "192.0.2.1"),
    // Hexadecimal.
    ("p5b0a1b2c.dip0.t-ipconnect.de", "91.10.27.44"),
    ("p4fe7a1b2.dip.t-dialin.net", "79.231.161.178"),
    ("0x5b0a1b2c.example.net", "91.10.27.44"),
    ("x5b0a1b2c.dyn.telefonica.de", "91.10.27.44"),
    ("5b0a1b2c.adsl.enternet.hu", "91.10.27.44"),
    ("5b0a1b2c.catv.pool.telekom.hu", "91.10.27.44"),
    ("ip5b0a1b2c.rubicom.hu", "91.10.27.44"),
    ("dslb-5b0a1b2c.pools.vodafone-ip.de", "91.10.27.44"),
    ("muedsl-82-207-12-34.citykom.de", "82.207.12.34"),
    ("cm-2c1b0a5b.example.net", "91.10.27.44"),
    ("0x535f1b2c.bynxx18.adsl-dhcp.tele.dk", "83.95.27.44"),
    ("pd9e1a2b3.dip0.t-ipconnect.de", "217.225.162.179"),
    ("5b-0a-1b-2c.example.net", "91.10.27.44"),
    ("cust-91-10-27-44.isp.example.it", "91.10.27.44"),
    // Two or three octets beside a word.
    ("net12-34.dynamic.ertelecom.ru", "176.215.12.34"),
    ("host-12-34.xdsl.telecet.ru", "81.16.12.34"),
    ("pppoe-12-34.tsinet.ru", "81.16.12.34"),
    ("a12-34.adsl.paltel.net", "213.6.12.34"),
    ("ppp12-34.tis-dialog.ru", "81.16.12.34"),
    ("34-12.cust.example.net", "203.0.12.34"),
    ("customer-12-34.example.net", "203.0.12.34"),
    ("client-0-12-34.example.net", "203.0.12.34"),
    ("ip-0-12-34.css.od.ua", "203.0.12.34"),
    ("203-0-12.users.example.net", "203.0.12.34"),
    ("host-203-0-12.users.example.net", "203.0.12.34"),
    ("h113-12-34.example.net", "203.113.12.34"),
    // A word and a number.
    ("dynamic-123.example.net", "198.51.100.7"),
    ("ip98.dynamic.example.net", "198.51.100.7"),
    ("dsl.dynamic8125473210.ttnet.net.tr", "198.51.100.7"),
    ("port0123-abc-dynamic-adsl.cwjamaica.com", "198.51.100.7"),
    ("dialup-4711.example.net", "198.51.100.7"),
    ("dial-12.r5.ncchrl.infoave.net", "198.51.100.7"),
    ("ppp-4711.isp.example.net", "198.51.100.7"),
    ("pppoe4711.isp.example.net", "198.51.100.7"),
    ("dhcp-10-44.campus.example.edu", "198.51.100.7"),
    ("dhcp024-209-012-034.insight.rr.com", "24.209.12.34"),
    ("cpe12345.itv.net.ua", "198.51.100.7"),
    ("cpc1-blfs3-0-0-cust123.belf.cable.ntl.com", "198.51.100.7"),
    (
        "cpe0023abcdef01-cm0018abcdef02.cpe.net.cable.rogers.com",
        "198.51.100.7",
    ),
    ("abcd1234.adsl.datanet.hu", "198.51.100.7"),
    ("dsl4711-22.fastxp.example.se", "198.51.100.7"),
    ("cable-4711-22.example.se", "198.51.100.7"),
    ("ftth-4711-22.example.se", "198.51.100.7"),
    ("pool4711.example.se", "198.51.100.7"),
    ("dyn12.isp.example.org", "198.51.100.7"),
    ("unassigned-12-34.isp.mcnet.cz", "198.51.100.7"),
    ("dinamic-adsl-190-5-12.emcali.net.co", "190.5.12.34"),
    ("mobile-166-137-12-34.mycingular.net", "166.137.12.34"),
    ("catv-80-98-12-34.catv.broadband.hu", "80.98.12.34"),
    ("broadband-46-188-12-34.ip.moscow.rt.ru", "46.188.12.34"),
    ("gprs12.example.hu", "198.51.100.7"),
    ("isdn-21.isp.example.org", "198.51.100.7"),
    // IPv6.
    (
        "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.isp.example.net",
        "2001:db8::1",
    ),
    ("2001-db8-12-34--1f.isp.example.net", "2001:db8:12:34::1f"),
    ("2001-db8-0-0-0-0-0-1.isp.example.net", "2001:db8::1"),
    (
        "20010db80012003402115bfffe12abcd.isp.example.net",
        "2001:db8:12:34:211:5bff:fe12:abcd",
    ),
    (
        "p02115bfffe12abcd.dip0.t-ipconnect.de",
        "2003:db8:12:34:211:5bff:fe12:abcd",
    ),
    (
        "dynamic-2001-0db8-0012.310.pool.telefonica.de",
        "2001:db8:12::7",
    ),
    ("2a02-8108-0-12.dyn.example.de", "2a02:8108:0:12::7"),
];

/// Names that somebody chose, fixed connections, and names that say nothing.
const OTHERS: &[(&str, &str)] = &[
    // Mail providers and senders of bulk.
    ("mail-lf1-f41.google.com", "209.85.167.41"),
    ("mail-wm1-x32d.google.com", "2a00:1450:4864:20::32d"),
    ("mail-209-85-167-41.google.com", "209.85.167.41"),
    (
        "mail-db8eur05on2041.outbound.protection.outlook.com",
        "40.107.20.41",
    ),
    (
        "mail-am6eur05hn2201.outbound.protection.outlook.com",
        "52.100.174.201",
    ),
    (
        "nam12-mw2-obe.outbound.protection.outlook.com",
        "40.107.244.41",
    ),
    ("a8-53.smtp-out.amazonses.com", "54.240.8.53"),
    ("a11-12.smtp-out.amazonses.com", "54.240.11.12"),
    (
        "b224-11.smtp-out.eu-central-1.amazonses.com",
        "69.169.224.11",
    ),
    ("e234-5.smtp-out.us-east-2.amazonses.com", "23.251.234.5"),
    ("o1.ptr1234.example.com", "167.89.12.34"),
    ("o168-245-12-34.outbound-mail.sendgrid.net", "168.245.12.34"),
    ("xvfrpqst.outbound-mail.sendgrid.net", "168.245.12.34"),
    ("mail12.atl31.mcdlv.net", "198.2.129.12"),
    ("mail134-12.atl141.mandrillapp.com", "198.2.134.12"),
    ("m12-34.mailgun.net", "166.78.12.34"),
    ("mta-70-12-34.sparkpostmail.com", "156.70.12.34"),
    ("mta12.r1.rpost.example.net", "198.51.100.12"),
    ("sonic301-20.consmr.mail.ne1.yahoo.com", "66.163.184.20"),
    ("mout.gmx.net", "212.227.15.19"),
    ("mout-p-101.mailbox.org", "80.241.56.151"),
    ("fout-a3-smtp.messagingengine.com", "103.168.172.146"),
    ("out-173.mta0.migadu.com", "91.218.175.173"),
    ("mail-4022.proton.ch", "185.70.40.22"),
    ("mail-40131.protonmail.ch", "185.70.40.131"),
    ("forward502a.mail.yandex.net", "178.154.239.82"),
    ("smtp12.mail.ru", "94.100.181.12"),
    ("relay12-34.example.net", "203.0.12.34"),
    ("smtp-out1-12-34.example.net", "203.0.12.34"),
    ("mx-203-0-113-25.example.net", "203.0.113.25"),
    ("mxout-1-12-34.example.net", "203.1.12.34"),
    ("mx1.pool.example.net", "203.0.113.25"),
    ("vger.kernel.org", "23.128.96.18"),
    ("lists12-34.example.org", "203.0.12.34"),
    ("newsletter-203-0-113-25.example.org", "203.0.113.25"),
    ("bounce-203-0-113-25.esp.example", "203.0.113.25"),
    ("webmail-203-0-113-25.example.org", "203.0.113.25"),
    ("ccm27.constantcontact.com", "208.75.123.162"),
    ("mail-1-2-3-4.static.example.net", "1.2.3.4"),
    ("mail.1-2-3-4.example.net", "1.2.3.4"),
    ("mail-qk1-203-0-113-25.dynamic.example.net", "203.0.113.25"),
    // Hosting: numbered through, and yet no home connection.
    ("static.88-99-1-2.clients.your-server.de", "88.99.1.2"),
    ("static.2.1.99.88.clients.your-server.de", "88.99.1.2"),
    ("ns3012345.ip-51-68-12.eu", "51.68.12.34"),
    ("ip34.ip-51-68-12.eu", "51.68.12.34"),
    ("vps-1a2b3c4d.vps.ovh.net", "51.68.12.34"),
    ("vps51681234.ovh.net", "51.68.12.34"),
    ("mo533.mail-out.ovh.net", "178.32.228.24"),
    ("ec2-54-12-34-56.compute-1.amazonaws.com", "54.12.34.56"),
    (
        "ec2-3-12-34-56.eu-central-1.compute.amazonaws.com",
        "3.12.34.56",
    ),
    ("56.34.12.34.bc.googleusercontent.com", "34.12.34.56"),
    ("172-105-12-34.ip.linodeusercontent.com", "172.105.12.34"),
    ("li1234-56.members.linode.com", "172.105.12.56"),
    ("vmi123456.contaboserver.net", "173.212.12.34"),
    ("h2123456.stratoserver.net", "85.214.12.34"),
    ("203-0-113-25.serverhosting.example", "203.0.113.25"),
    ("203.0.113.25.vultrusercontent.com", "203.0.113.25"),
    ("203-0-113-25.cloudvps.com", "203.0.113.25"),
    ("server-203-0-113-25.da.example.net", "203.0.113.25"),
    ("srv-203-0-113-25.example.net", "203.0.113.25"),
    ("vps12-34.example.net", "203.0.12.34"),
    ("dedicated-203-0-113-25.example.net", "203.0.113.25"),
    ("s17.servername.online.example", "62.210.12.34"),
    // Fixed connections of companies.
    ("static-203-0-113-25.example.net", "203.0.113.25"),
    ("203-0-113-25.static.isp.example.co.uk", "203.0.113.25"),
    (
        "203-0-113-25-static.hfc.comcastbusiness.net",
        "203.0.113.25",
    ),
    ("host-203-0-113-25.static.example.it", "203.0.113.25"),
    ("static-dsl-12-34.example.net", "203.0.12.34"),
    ("rrcs-24-172-12-34.central.biz.rr.com", "24.172.12.34"),
    ("fixed-203-0-113-25.isp.example.mx", "203.0.113.25"),
    ("ip-fija-203-0-113-25.isp.com.co", "203.0.113.25"),
    ("business-203-0-113-25.pool2.vodafone-ip.de", "203.0.113.25"),
    ("gw-203-0-113-25.example.net", "203.0.113.25"),
    ("vpn203-0-113-25.example.net", "203.0.113.25"),
    ("203-0-113-25.corp.example.net", "203.0.113.25"),
    ("office12-34.example.net", "203.0.12.34"),
    // Names that hold numbers, and not the address.
    ("a12-34.example.net", "203.0.113.25"),
    ("host-10-20-30-40.example.net", "203.0.113.25"),
    ("node4711.example.net", "203.0.113.25"),
    ("host12.example.net", "203.0.113.12"),
    ("host-113-25.example.net", "203.0.113.25"),
    ("user4711.example.net", "203.0.113.25"),
    ("cust1.example.net", "203.0.113.25"),
    ("db3.eu-west-1.prod.example.com", "203.0.113.25"),
    ("hydra.example.com", "203.0.113.25"),
    ("e2e12.f34.example.com", "203.0.113.25"),
    ("www2025.example.com", "203.0.113.25"),
    ("zrh-hq-12.example.ch", "203.0.113.25"),
    // Words alone, or in the domain of the provider.
    ("dsl.example.com", "203.0.113.25"),
    ("dsl1.example.com", "203.0.113.25"),
    ("pool.ntp.example.org", "203.0.113.25"),
    ("pool2.example.org", "203.0.113.25"),
    ("dyn.example.com", "203.0.113.25"),
    ("dynamics12.crm.example.com", "203.0.113.25"),
    ("host12.cable-one.example.net", "203.0.113.25"),
    ("mx12.dialup-isp.net", "203.0.113.25"),
    ("ns12.broadband.example.net", "203.0.113.25"),
    ("dynamic.example.com", "203.0.113.25"),
    ("example.com", "203.0.113.25"),
    ("12345.com", "203.0.113.25"),
    ("localhost", "203.0.113.25"),
    ("", "203.0.113.25"),
    // IPv6.
    ("mail.2001-db8--1.example.net", "2001:db8::1"),
    ("static-2001-db8--1.example.net", "2001:db8::1"),
    ("host1.example.net", "2001:db8::1"),
    ("v6-12.example.net", "2001:db8::12"),
    ("mout6.kundenserver.de", "2001:8d8:5ff:0:b64::1"),
];

fn wrong(table: &[(&str, &str)], expected: bool) -> Vec<String> {
    let looks =
        |(name, client): &&(&str, &str)| looks_dynamic(name, client.parse().unwrap()) != expected;
    let row = |(name, client): &(&str, &str)| format!("{client} {name}");
    table.iter().filter(looks).map(row).collect()
}

#[test]
fn names_of_dynamic_addresses_look_dynamic() {
    assert!(DYNAMIC.len() >= 90, "{}", DYNAMIC.len());
    assert_eq!(wrong(DYNAMIC, true), [""; 0]);
}

#[test]
fn other_names_do_not() {
    assert!(OTHERS.len() >= 90, "{}", OTHERS.len());
    assert_eq!(wrong(OTHERS, false), [""; 0]);
}

#[test]
fn no_name_is_too_odd() {
    for name in [
        ".",
        "..",
        "...",
        "-.-.-",
        "1.1.1.1",
        "\\012\\013.a.b",
        "ä1-2-3.ö.ü",
        &"1.".repeat(126),
    ] {
        for client in ["1.1.1.1", "::", "2001:db8::1", "0.0.0.0"] {
            let _ = looks_dynamic(name, client.parse().unwrap());
        }
    }
}

proptest! {
    #[test]
    fn hexadecimal_digits_are_found_wherever_they_stand(
        address in any::<u32>(), before in "[0-9a-fg.-]{0,6}", behind in "[0-9a-fg.-]{0,6}", cut in 0..4_usize, how in 0..4_u8,
    ) {
        let written = match how {
            0 => address,
            1 => address.swap_bytes(),
            2 => address ^ 1,
            _ => address.rotate_left(4),
        };
        let mut digits = format!("{written:08x}");
        digits.insert(2 * cut, '-');
        let host = format!("{before}{digits}{behind}");
        let squeezed: String = host.chars().filter(char::is_ascii_alphanumeric).collect();
        let holds = |address: u32| squeezed.contains(&format!("{address:08x}"));
        let expected = holds(address) || holds(address.swap_bytes());
        prop_assert_eq!(in_hexadecimal(&host, address.into()), expected, "{} in {}", address, host);
    }
}
