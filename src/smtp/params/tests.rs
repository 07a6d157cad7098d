//! Parameters: what is taken, what is refused, and how it is written again.

use super::*;

fn mail(text: &str) -> Result<String, Fault> {
    MailParams::parse(text).map(|params| params.to_string())
}

fn rcpt(text: &str) -> Result<String, Fault> {
    RcptParams::parse(text).map(|params| params.to_string())
}

#[test]
fn all_mail_parameters_in_canonical_order() {
    let all = " SIZE=10 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb AUTH=<>";
    assert_eq!(mail(all).unwrap(), all);
    let odd = "  auth=<>  smtputf8 EnvId=a+2Bb ret=hdrs body=8bitmime size=0010";
    assert_eq!(mail(odd).unwrap(), all);
    assert_eq!(mail("").unwrap(), "");
    assert_eq!(mail(" BODY=7bit RET=full").unwrap(), " BODY=7BIT RET=FULL");
}

#[test]
fn sizes_are_numbers_that_fit() {
    assert_eq!(
        MailParams::parse(" SIZE=18446744073709551615")
            .unwrap()
            .size,
        Some(u64::MAX)
    );
    let bad = [
        "SIZE", "SIZE=", "SIZE=-1", "SIZE=+1", "SIZE=1k", "SIZE=0x1", "SIZE=1=2",
    ];
    let long = [
        "SIZE=18446744073709551616",
        "SIZE=99999999999999999999999999",
    ];
    for bad in bad
        .into_iter()
        .chain(long)
        .chain(["SIZE=000000000000000000001"])
    {
        assert_eq!(
            mail(&format!(" {bad}")),
            Err(Fault::BadParameter(Verb::Mail)),
            "{bad}"
        );
    }
}

#[test]
fn bad_mail_parameters() {
    let bad = [
        "SIZE=1 SIZE=2",
        "SIZE=1 size=1",
        "BODY=9BIT",
        "BODY=BINARYMIME",
        "BODY",
        "SMTPUTF8=1",
        "SMTPUTF8 SMTPUTF8",
        "SMTPUTF8=",
        "RET=ALL",
        "RET",
        "ENVID=",
        "ENVID=a=b",
        "ENVID=a+b",
        "ENVID=a+2",
        "ENVID=ü",
        "ENVID=a ENVID=a",
        "AUTH=",
        "AUTH=a+zz",
        "=5",
        "-A=1",
        "A_B=1",
        "ü=1",
    ];
    for bad in bad {
        assert_eq!(
            mail(&format!(" {bad}")),
            Err(Fault::BadParameter(Verb::Mail)),
            "{bad}"
        );
    }
    let envid = "e".repeat(limits::ENVID);
    assert!(mail(&format!(" ENVID={envid}")).is_ok());
    assert!(mail(&format!(" ENVID={envid}e")).is_err());
    let auth = "a".repeat(limits::AUTH_PARAM);
    assert!(mail(&format!(" AUTH={auth}")).is_ok());
    assert!(mail(&format!(" AUTH={auth}a")).is_err());
}

#[test]
fn unknown_parameters() {
    for unknown in [
        "XFOO",
        "XFOO=1",
        "NOTIFY=NEVER",
        "HOLDFOR=60",
        "MT-PRIORITY=3",
        "SIZEX=1",
    ] {
        let expected = Err(Fault::UnknownParameter(Verb::Mail));
        assert_eq!(mail(&format!(" {unknown}")), expected, "{unknown}");
    }
    assert_eq!(rcpt(" SIZE=1"), Err(Fault::UnknownParameter(Verb::Rcpt)));
}

#[test]
fn a_parameter_glued_to_the_path() {
    assert_eq!(mail("SIZE=1"), Err(Fault::Syntax(Verb::Mail)));
    assert_eq!(rcpt("NOTIFY=NEVER"), Err(Fault::Syntax(Verb::Rcpt)));
}

#[test]
fn rcpt_parameters() {
    let all = " NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;a+2Bb@c";
    assert_eq!(rcpt(all).unwrap(), all);
    assert_eq!(
        rcpt(" orcpt=x;y notify=delay,success").unwrap(),
        " NOTIFY=SUCCESS,DELAY ORCPT=x;y"
    );
    assert_eq!(rcpt(" NOTIFY=never").unwrap(), " NOTIFY=NEVER");
    let bad = [
        "NOTIFY",
        "NOTIFY=",
        "NOTIFY=NEVER,DELAY",
        "NOTIFY=DELAY,NEVER",
        "NOTIFY=DELAY,",
        "NOTIFY=,",
        "NOTIFY=SOON",
        "NOTIFY=DELAY NOTIFY=DELAY",
        "ORCPT=",
        "ORCPT=rfc822",
        "ORCPT=;a",
        "ORCPT=x;",
        "ORCPT=rfc822;a=b",
        "ORCPT=rfc822;ü",
        "ORCPT=a;b ORCPT=a;b",
        "ORCPT=ü;a",
    ];
    for bad in bad {
        assert_eq!(
            rcpt(&format!(" {bad}")),
            Err(Fault::BadParameter(Verb::Rcpt)),
            "{bad}"
        );
    }
    let address = "a".repeat(limits::ORCPT - "x;".len());
    assert!(rcpt(&format!(" ORCPT=x;{address}")).is_ok());
    assert!(rcpt(&format!(" ORCPT=x;{address}a")).is_err());
}

#[test]
fn orcpt_with_utf8() {
    let params = RcptParams::parse(" ORCPT=utf-8;ü@ä").unwrap();
    assert!(params.needs_smtputf8());
    assert!(
        !RcptParams::parse(r" ORCPT=utf-8;\x{FC}@b")
            .unwrap()
            .needs_smtputf8()
    );
}

#[test]
fn serde_keeps_and_checks() {
    let params = MailParams::parse(" SIZE=10 RET=FULL ENVID=x").unwrap();
    let json = serde_json::to_string(&params).unwrap();
    assert_eq!(json, r#"{"size":10,"ret":"full","envid":"x"}"#);
    assert_eq!(serde_json::from_str::<MailParams>(&json).unwrap(), params);
    assert!(serde_json::from_str::<MailParams>(r#"{"envid":"a\r\nQUIT"}"#).is_err());
    assert!(serde_json::from_str::<RcptParams>(r#"{"notify":"NEVER,DELAY"}"#).is_err());
}
