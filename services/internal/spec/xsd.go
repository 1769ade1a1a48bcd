package spec

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// xsdType is a complex type of an XSD as far as lengths need it.
type xsdType struct {
	base     string
	elements map[string]string // documentation by element
}

// xsdTypes reads the complex types of all XSDs in a folder.
func xsdTypes(dir string) (map[string]*xsdType, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.xsd"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("XSDs are %w in %s", ErrAbsent, dir)
	}
	all := map[string]*xsdType{}
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // a test's own file
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		var doc struct {
			Types []xsdNode `xml:"complexType"`
		}
		if err := xml.Unmarshal(text, &doc); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		for _, node := range doc.Types {
			t := &xsdType{elements: map[string]string{}}
			node.collect(t)
			all[node.Name] = t
		}
	}
	return all, nil
}

// xsdNode is any node of an XSD.
type xsdNode struct {
	XMLName       xml.Name
	Name          string    `xml:"name,attr"`
	Base          string    `xml:"base,attr"`
	Documentation string    `xml:"annotation>documentation"`
	Nodes         []xsdNode `xml:",any"`
}

// collect gathers the elements of a type, which may be nested in sequences
// and choices.
func (n xsdNode) collect(t *xsdType) {
	if n.XMLName.Local == "extension" {
		t.base = n.Base
	}
	for _, inner := range n.Nodes {
		if inner.XMLName.Local == "element" && inner.Name != "" {
			t.elements[inner.Name] = inner.Documentation
			continue
		}
		inner.collect(t)
	}
}

var (
	xsdProduct = regexp.MustCompile(`Product: ?(QB[OW]|ALL)`)
	xsdRange   = regexp.MustCompile(`ValidRange: QBO: max=(\d+)`)
	xsdLength  = regexp.MustCompile(`(?i)max(?:imum|\.)? length(?: for \w+)?(?: is|:) ?(\d+)`)
)

// maxLength reads the greatest length of a QuickBooks Online field out of its
// documentation, which is the only place that has it. What is said of the
// desktop product alone does not count.
func maxLength(documentation string) (int, bool) {
	text := strings.Join(strings.Fields(documentation), " ")
	if m := xsdRange.FindStringSubmatch(text); m != nil {
		n, err := strconv.Atoi(m[1])
		return n, err == nil
	}
	parts := xsdProduct.FindAllStringSubmatchIndex(text, -1)
	online := text
	for i, p := range parts {
		end := len(text)
		if i+1 < len(parts) {
			end = parts[i+1][0]
		}
		part := text[p[0]:end]
		if text[p[2]:p[3]] == "QBW" {
			online = strings.Replace(online, part, "", 1)
		}
	}
	most := 0
	for _, m := range xsdLength.FindAllStringSubmatch(online, -1) {
		if n, err := strconv.Atoi(m[1]); err == nil {
			most = max(most, n)
		}
	}
	return most, most > 0
}

// addLengths puts the XSDs' lengths on the text fields of the definitions and
// returns how many there are.
func addLengths(defs map[string]any, types map[string]*xsdType) int {
	count := 0
	for name, def := range defs {
		shape, _ := def.(map[string]any)
		properties, _ := shape["properties"].(map[string]any)
		for t := types[name]; t != nil; t = types[t.base] {
			for field, documentation := range t.elements {
				p, ok := properties[field].(map[string]any)
				if !ok || p["type"] != "string" || p["maxLength"] != nil {
					continue
				}
				if n, ok := maxLength(documentation); ok {
					p["maxLength"] = n
					count++
				}
			}
		}
	}
	return count
}
