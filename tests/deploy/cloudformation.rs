//! The CloudFormation templates: what cfn-lint and checkov say, and whether they agree with the mission and the agent.

use std::{env, fs, path::Path, process::Command};

use mirrorscope_tests::{fixture, mirrorscope_bin};
use serde_json::{Value, json};

use super::{deploy, empty_dir, need, run};

const TEMPLATES: [&str; 2] = ["cloudformation/appliance.yaml", "cloudformation/mirror.yaml"];

#[test]
fn cfn_lint_finds_no_fault_in_the_templates() {
    let Some(lint) = need("cfn-lint", "the CloudFormation templates", "pip install cfn-lint") else { return };
    run(Command::new(lint).args(TEMPLATES));
}

#[test]
fn checkov_finds_no_fault_that_is_not_argued() {
    let Some(checkov) = need("checkov", "the templates' security", "pip install checkov") else { return };
    let settings = ["--config-file", "cloudformation/.checkov.yaml", "--directory", "cloudformation"];
    let said = run(Command::new(checkov).args(settings).env("LOG_LEVEL", "ERROR"));
    assert!(!said.contains("FAILED"), "{said}");
}

#[test]
fn the_mirror_filter_is_the_one_of_the_sample() {
    let Some(template) = template("cloudformation/mirror.yaml") else { return };
    let sample = fs::read(fixture("aws/describe-traffic-mirror-filters.json")).expect("it is there");
    let sample: Value = serde_json::from_slice(&sample).expect("it is JSON");
    let wanted: Vec<Value> = sample["TrafficMirrorFilters"][0]["IngressFilterRules"]
        .as_array()
        .expect("it has rules")
        .iter()
        .map(of_interest)
        .collect();
    let mut ours: Vec<Value> =
        resources(&template, "AWS::EC2::TrafficMirrorFilterRule").map(of_interest).collect();
    ours.sort_by_key(|rule| rule["RuleNumber"].as_i64());
    assert_eq!(ours, wanted);
}

#[test]
fn the_target_group_never_leaves_a_mirror_with_a_dead_appliance() {
    let Some(template) = template("cloudformation/appliance.yaml") else { return };
    let group =
        resources(&template, "AWS::ElasticLoadBalancingV2::TargetGroup").next().expect("a target group");
    let words = ["Protocol", "HealthCheckProtocol", "HealthCheckPort", "HealthCheckPath"];
    assert_eq!(words.map(|word| group[word].as_str().unwrap_or_default()), ["GENEVE", "HTTP", "8080", "/"]);
    assert_eq!(group["Port"], 6081);
    for word in ["HealthCheckIntervalSeconds", "HealthyThresholdCount", "UnhealthyThresholdCount", "Matcher"]
    {
        assert!(!group[word].is_null(), "{word} is left to a default");
    }
    for failover in ["target_failover.on_deregistration", "target_failover.on_unhealthy"] {
        assert_eq!(attribute(group, "TargetGroupAttributes", failover), "rebalance", "{failover}");
    }
    let balancer = resources(&template, "AWS::ElasticLoadBalancingV2::LoadBalancer").next().expect("one");
    let cross_zone = attribute(balancer, "LoadBalancerAttributes", "load_balancing.cross_zone.enabled");
    assert_eq!((balancer["Type"].as_str(), cross_zone), (Some("gateway"), json!("true")));
}

/// What the AWS command line would say of the stack, with the default of every parameter, put before our own doctor.
#[test]
fn the_doctor_finds_no_fault_in_what_the_template_sets_up() {
    let Some(template) = template("cloudformation/appliance.yaml") else { return };
    let mut group =
        resources(&template, "AWS::ElasticLoadBalancingV2::TargetGroup").next().expect("one").clone();
    group["TargetGroupArn"] =
        json!("arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/mirror/1");
    let mut attributes = group["TargetGroupAttributes"].clone();
    for attribute in attributes.as_array_mut().expect("attributes") {
        if let Some(parameter) = attribute["Value"]["Ref"].as_str() {
            attribute["Value"] = json!(template["Parameters"][parameter]["Default"].to_string());
        }
    }
    attributes.as_array_mut().expect("attributes").retain(|attribute| attribute["Value"].is_string());
    let permissions: Vec<Value> = template["Resources"]["ApplianceSecurityGroup"]["Properties"]["SecurityGroupIngress"]
        .as_array()
        .expect("rules")
        .iter()
        .map(|rule| {
            json!({ "IpProtocol": rule["IpProtocol"], "FromPort": rule["FromPort"], "ToPort": rule["ToPort"],
                    "IpRanges": [{ "CidrIp": "10.80.0.0/25" }] })
        })
        .collect();
    let dir = empty_dir("doctor");
    let files = [
        ("target-groups", json!({ "TargetGroups": [group] })),
        ("attributes", json!({ "Attributes": attributes })),
        (
            "security-groups",
            json!({ "SecurityGroups": [{ "GroupId": "sg-1", "IpPermissions": permissions }] }),
        ),
    ]
    .map(|(name, content)| {
        let file = dir.join(name);
        fs::write(&file, content.to_string()).expect("it can be written");
        file
    });
    let output =
        Command::new(mirrorscope_bin()).args(["doctor", "--json"]).args(files).output().expect("it starts");
    let report: Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
    let findings = report["findings"].as_array().expect("findings");
    let of_the_stack = |code: &str| {
        ["target", "health-check", "security", "deregistration", "stickiness"]
            .iter()
            .any(|word| code.starts_with(word))
    };
    let judged: Vec<_> = findings
        .iter()
        .filter(|finding| of_the_stack(finding["code"].as_str().unwrap_or_default()))
        .collect();
    assert!(judged.len() > 3, "{report}");
    for finding in judged {
        assert!(matches!(finding["severity"].as_str(), Some("fine" | "note")), "{finding}");
    }
}

/// Each waits for the one before: what GWLB still sends, the agent's deadline, systemd's patience, Auto Scaling's.
#[test]
fn every_patience_is_longer_than_what_it_waits_for() {
    let Some(template) = template("cloudformation/appliance.yaml") else { return };
    let delay = template["Parameters"]["DeregistrationDelay"]["MaxValue"].as_u64().expect("a bound");
    let number = |file: &str, key: &str| -> u64 {
        let text = fs::read_to_string(deploy().join("package").join(file)).expect("it is there");
        let line = text.lines().find(|line| line.starts_with(key)).expect("it is set");
        line.split('=').nth(1).expect("a value").trim().parse().expect("a number")
    };
    let deadline = number("mirrorscope.toml", "drain-deadline");
    let stop = number("mirrorscope.service", "TimeoutStopSec");
    let group = resources(&template, "AWS::AutoScaling::AutoScalingGroup").next().expect("a group");
    let hooks = group["LifecycleHookSpecificationList"].as_array().expect("hooks");
    let terminate = hooks.iter().find(|hook| hook["LifecycleHookName"] == "terminate").expect("a hook");
    let hold = terminate["HeartbeatTimeout"].as_u64().expect("a number");
    assert!(delay < deadline && deadline < stop && stop + delay < hold, "{delay} {deadline} {stop} {hold}");
}

#[test]
fn appliances_admit_the_load_balancer_alone() {
    let Some(template) = template("cloudformation/appliance.yaml") else { return };
    let group = &template["Resources"]["ApplianceSecurityGroup"]["Properties"];
    let mut admitted: Vec<_> = group["SecurityGroupIngress"]
        .as_array()
        .expect("rules")
        .iter()
        .map(|rule| {
            assert_eq!(rule["FromPort"], rule["ToPort"]);
            let subnet = rule["CidrIp"]["Fn::GetAtt"][0].as_str().expect("a subnet of ours");
            (rule["FromPort"].as_u64().expect("a port"), rule["IpProtocol"].as_str().expect("a name"), subnet)
        })
        .collect();
    admitted.sort_unstable();
    let wanted = [
        (6081, "udp", "SubnetA"),
        (6081, "udp", "SubnetB"),
        (8080, "tcp", "SubnetA"),
        (8080, "tcp", "SubnetB"),
    ];
    assert_eq!(admitted, wanted);
}

/// The script that an instance starts with is run, with what AWS would put into it, and the agent is asked.
#[test]
fn an_instance_starts_with_settings_that_the_agent_takes() {
    let Some(template) = template("cloudformation/appliance.yaml") else { return };
    let launch = resources(&template, "AWS::EC2::LaunchTemplate").next().expect("one");
    let script =
        launch["LaunchTemplateData"]["UserData"]["Fn::Base64"]["Fn::Sub"].as_str().expect("a script");
    let dir = empty_dir("user-data");
    let bin = dir.join("bin");
    fs::create_dir(&bin).expect("a folder");
    for (name, does) in [("aws", ":"), ("rpm", ":"), ("systemctl", "echo \"$@\" >> started")] {
        let stub = bin.join(name);
        fs::write(&stub, format!("#!/bin/sh\n{does}\n")).expect("it can be written");
        run(Command::new("chmod").arg("+x").arg(stub));
    }
    fs::write(dir.join("instance-id"), "i-0123456789abcdef0\n").expect("it can be written");
    let script = [
        ("/etc/mirrorscope/", ""),
        ("/var/lib/cloud/data/", ""),
        ("${AWS::Region}", "eu-west-1"),
        ("${AWS::AccountId}", "123456789012"),
        ("${AWS::StackName}", "mirrorscope"),
        ("${SubnetA.CidrBlock}", "10.80.0.0/25"),
        ("${SubnetB.CidrBlock}", "10.80.0.128/25"),
        ("${PackageBucket}", "packages"),
        ("${PackageKey}", "mirrorscope.rpm"),
        ("${Bucket}", "flows"),
        ("${FlowLogPrefix}", template["Parameters"]["FlowLogPrefix"]["Default"].as_str().expect("text")),
    ]
    .iter()
    .fold(script.to_owned(), |script, (from, to)| script.replace(from, to));
    assert!(!script.contains("${"), "{script}");
    let path = format!("{}:{}", bin.display(), env::var("PATH").unwrap_or_default());
    let script = format!("cd '{}'\n{script}", dir.display());
    run(Command::new("bash").args(["-c", &script]).env("PATH", path));
    let started = fs::read_to_string(dir.join("started")).expect("it starts services");
    assert_eq!(started.trim(), "enable --now mirrorscope.service mirrorscope-lifecycle.service");
    let environment = fs::read_to_string(dir.join("environment")).expect("it sets options");
    let variables: Vec<_> = environment.lines().filter_map(|line| line.split_once('=')).collect();
    let wanted = [
        ("MIRRORSCOPE_SERVE_FLOW_LOG", "parquet:s3://flows/flow-logs"),
        ("MIRRORSCOPE_SERVE_AGENT_ID", "i-0123456789abcdef0"),
        ("MIRRORSCOPE_SERVE_ACCOUNT_ID", "123456789012"),
        ("MIRRORSCOPE_SERVE_REGION", "eu-west-1"),
        ("MIRRORSCOPE_SERVE_ALLOW_FROM", "10.80.0.0/25,10.80.0.128/25"),
    ];
    assert_eq!(variables, wanted);
    let mut check = Command::new(mirrorscope_bin());
    check.envs(variables).args(["serve", "--check", "--config", "package/mirrorscope.toml"]);
    run(&mut check);
}

#[test]
fn no_policy_allows_everything() {
    for name in TEMPLATES {
        let Some(template) = template(name) else { return };
        let text = template.to_string();
        let mut allowed = 0;
        for statement in statements(&template).filter(|statement| statement["Effect"] == "Allow") {
            allowed += 1;
            let actions = statement["Action"].to_string();
            assert!(!actions.contains('*') && statement["Resource"] != "*", "{name}: {statement}");
        }
        assert_eq!(allowed > 0, text.contains("\"Allow\""), "{name}");
    }
}

/// The template with its functions written out, as cfn-lint reads it.
fn template(name: &str) -> Option<Value> {
    let lint = need("cfn-lint", "what the CloudFormation templates say", "pip install cfn-lint")?;
    const PRINT: &str =
        "import json, sys; from cfnlint.decode import decode; print(json.dumps(decode(sys.argv[1])[0]))";
    let python = lint.parent().unwrap_or(Path::new("/")).join("python");
    let said = run(Command::new(python).args(["-c", PRINT, name]));
    Some(serde_json::from_str(&said).expect("it prints JSON"))
}

/// The properties of all resources of that type.
fn resources<'a>(template: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    let resources = template["Resources"].as_object().expect("it has resources");
    resources
        .values()
        .filter(move |resource| resource["Type"] == kind)
        .map(|resource| &resource["Properties"])
}

fn of_interest(rule: &Value) -> Value {
    const KEYS: [&str; 8] = [
        "TrafficDirection",
        "RuleNumber",
        "RuleAction",
        "Protocol",
        "SourcePortRange",
        "DestinationPortRange",
        "SourceCidrBlock",
        "DestinationCidrBlock",
    ];
    KEYS.iter().map(|&key| (key.to_owned(), rule[key].clone())).collect::<serde_json::Map<_, _>>().into()
}

fn attribute(resource: &Value, list: &str, key: &str) -> Value {
    let attributes = resource[list].as_array().expect("attributes");
    attributes.iter().find(|attribute| attribute["Key"] == key).expect("it is set")["Value"].clone()
}

/// Every statement of every policy, wherever it stands.
fn statements(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    let here = value["Statement"].as_array().into_iter().flatten();
    match value {
        Value::Object(fields) => Box::new(here.chain(fields.values().flat_map(statements))),
        Value::Array(values) => Box::new(values.iter().flat_map(statements)),
        _ => Box::new(here),
    }
}
